"""Quotes (quadcode-protocol §10.1)."""

from enum import StrEnum

from msgspec import Struct

from libs.quadcode.declarations import Channel, Listener, Subscription, Topic


class Phase(StrEnum):
    TRADING = "T"
    CLOSED = "C"
    """Outside of every trading session."""


class Quote(Struct, frozen=True):
    active_id: int
    time: float
    """Epoch milliseconds."""
    ask: float
    bid: float
    value: float
    """The mid price, at which options are opened and settled."""
    phase: str = ""
    """A Phase."""


QUOTE_GENERATED = Topic(
    "quote-generated", "2.0", "quotes", "quote-generated", Quote, ("active_id",), frequent=True
)  # fmt: skip


class Quotes:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def watch(self, active_id: int, listener: Listener[Quote]) -> Subscription:
        """Every quote, as it comes; `listener` must return quickly."""
        return await self._channel.subscribe(QUOTE_GENERATED, (active_id,), listener)
