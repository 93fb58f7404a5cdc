"""Quotes (quadcode-protocol §10.1)."""

from msgspec import Struct

from libs.quadcode.declarations import Channel, Listener, Subscription, Topic


class Quote(Struct, frozen=True):
    active_id: int
    time: float
    """Epoch milliseconds."""
    ask: float
    bid: float
    value: float
    """The mid price, at which options are opened and settled."""
    phase: str = ""
    """`T` in a trading session, `C` outside."""


QUOTE_GENERATED = Topic(
    "quote-generated", "2.0", "quotes", "quote-generated", Quote, ("active_id",), frequent=True
)  # fmt: skip


class Quotes:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def watch(self, active_id: int, listener: Listener[Quote]) -> Subscription:
        """Every quote, as it comes; `listener` must return quickly."""
        return await self._channel.subscribe(QUOTE_GENERATED, (active_id,), listener)
