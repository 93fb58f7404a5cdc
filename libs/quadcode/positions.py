"""Positions: open ones, changes, and history (quadcode-protocol §14)."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic
from libs.quadcode.epoch import from_milliseconds, from_seconds, seconds
from libs.quadcode.errors import UnexpectedReply
from libs.quadcode.streams import Complete

PAGE = 30
"""Records the broker gives per request (§19)."""
_MOST = 30_000
"""Records; a list that goes on longer does not honour its offset (§14.2)."""
_REMEMBERED = 4096
_WAITING = 10_000


class InstrumentType(StrEnum):
    DIGITAL_OPTION = "digital-option"
    BINARY_OPTION = "binary-option"
    TURBO_OPTION = "turbo-option"
    BLITZ_OPTION = "blitz-option"
    MARGINAL_CFD = "marginal-cfd"
    MARGINAL_CRYPTO = "marginal-crypto"
    MARGINAL_FOREX = "marginal-forex"


class PositionStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Those that are known (§19); the broker has others."""

    WIN = "win"
    EQUAL = "equal"
    LOOSE = "loose"
    SOLD = "sold"
    """Turbo and binary options, before they expired."""
    DEFAULT = "default"
    """Digital options, closed by the user."""


ALL_TYPES = tuple(InstrumentType)


class BinaryOptionsEvent(Struct, frozen=True):
    """What only blitz, turbo and binary options have."""

    order_ids: tuple[int, ...] = ()
    direction: str = ""
    """`call` or `put`."""
    expiration_time: int = 0
    """Epoch seconds."""


class DigitalOptionsEvent(Struct, frozen=True):
    """What only digital options have."""

    order_ids: tuple[int, ...] = ()
    instrument_dir: str = ""
    """`call` or `put`."""
    instrument_expiration: int = 0
    """Epoch milliseconds, unlike that of the other options."""


class MarginalEvent(Struct, frozen=True):
    """What only margin positions have."""

    order_ids: tuple[int, ...] = ()


class RawEvent(Struct, frozen=True):
    binary_options_option_changed1: BinaryOptionsEvent | None = None
    digital_options_position_changed1: DigitalOptionsEvent | None = None
    marginal_forex_position_changed1: MarginalEvent | None = None
    marginal_cfd_position_changed1: MarginalEvent | None = None
    marginal_crypto_position_changed1: MarginalEvent | None = None

    @property
    def event(self) -> BinaryOptionsEvent | DigitalOptionsEvent | MarginalEvent | None:
        """The one there is."""
        return (
            self.binary_options_option_changed1
            or self.digital_options_position_changed1
            or self.marginal_forex_position_changed1
            or self.marginal_cfd_position_changed1
            or self.marginal_crypto_position_changed1
        )


class PositionKey(NamedTuple):
    """What names a position: the broker numbers those of each instrument type on their own."""

    instrument_type: str
    external_id: int


class Position(Struct, frozen=True, kw_only=True):
    """A position record; which of the optional fields it has depends on where it came from (§14.3)."""

    id: str
    """Internal; unique only within an instrument type."""
    external_id: int
    """Unique only within an instrument type, too; for blitz, turbo and binary options: the option id."""
    user_id: int
    user_balance_id: int
    active_id: int
    instrument_type: str
    status: str
    """A PositionStatus."""
    invest: Decimal
    """Stake, major units."""
    open_quote: float
    open_time: float
    """Epoch milliseconds."""
    expected_profit: Decimal | None = None
    """What a win pays out, stake included (assumed: §23)."""
    pnl: Decimal | None = None
    pnl_net: Decimal | None = None
    pnl_realized: Decimal | None = None
    """Won or lost in the end, stake not included."""
    close_profit: Decimal | None = None
    """What was paid out in the end, stake included; 0 on a loss (assumed: §23)."""
    close_quote: float | None = None
    close_reason: str | None = None
    """A CloseReason, or a word of the broker's own."""
    close_time: float | None = None
    """Epoch milliseconds."""
    quote_timestamp: float | None = None
    """Epoch milliseconds (assumed: §14.3)."""
    source: str | None = None
    """The service it is from."""
    version: int | None = None
    """Grows with every change of the position."""
    raw_event: RawEvent | None = None

    @property
    def key(self) -> PositionKey:
        return PositionKey(self.instrument_type, self.external_id)

    @property
    def closed(self) -> bool:
        return self.status == PositionStatus.CLOSED

    @property
    def opened_at(self) -> datetime:
        return from_milliseconds(self.open_time)

    @property
    def closed_at(self) -> datetime | None:
        return from_milliseconds(self.close_time) if self.close_time is not None else None

    @property
    def order_ids(self) -> tuple[int, ...]:
        """Numbers of the orders it came from; its own id when the record does not tell (§14.1)."""
        event = self.raw_event.event if self.raw_event is not None else None
        return event.order_ids if event is not None else (self.external_id,)

    @property
    def option(self) -> BinaryOptionsEvent | None:
        """Direction and expiration of a blitz, turbo or binary option, when the record tells."""
        return self.raw_event.binary_options_option_changed1 if self.raw_event is not None else None

    @property
    def digital(self) -> DigitalOptionsEvent | None:
        """Direction and expiration of a digital option, when the record tells."""
        return self.raw_event.digital_options_position_changed1 if self.raw_event is not None else None

    @property
    def expires_at(self) -> datetime | None:
        """Of an option of any kind, when the record tells."""
        if self.digital is not None and self.digital.instrument_expiration:
            return from_milliseconds(self.digital.instrument_expiration)
        return from_seconds(self.option.expiration_time) if self.option and self.option.expiration_time else None

    @property
    def profit(self) -> Decimal | None:
        """Won or lost, stake not included; None while it is open."""
        if not self.closed:
            return None
        if self.pnl_realized is not None:
            return self.pnl_realized
        return self.close_profit - self.invest if self.close_profit is not None else self.pnl


class GetPositions(Struct, frozen=True, kw_only=True):
    instrument_types: tuple[str, ...]
    limit: int = PAGE
    offset: int = 0


class GetHistory(Struct, frozen=True, kw_only=True):
    instrument_types: tuple[str, ...]
    user_id: int | UnsetType = UNSET
    end: int | UnsetType = UNSET
    """Epoch seconds: closed by then. Fixed over the pages, so that they do not shift."""
    limit: int | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    external_id: int | UnsetType = UNSET
    """Look up one position instead of paging."""


Q = TypeVar("Q", GetPositions, GetHistory)


class PositionPage(Struct, frozen=True):
    positions: tuple[Position, ...]
    limit: int = PAGE
    """There are more pages while a page has at least this many."""


GET_POSITIONS = Call("portfolio.get-positions", "4.0", GetPositions, PositionPage)
GET_HISTORY = Call("portfolio.get-history-positions", "2.0", GetHistory, PositionPage)
POSITION_CHANGED = Topic("portfolio.position-changed", "3.0", "portfolio", "position-changed", Position, ("user_id",))


class Positions:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def open(self, types: Sequence[InstrumentType] = ALL_TYPES) -> list[Position]:
        """Every position that is open throughout. Raises NotConnected or RequestFailed."""
        found: dict[PositionKey, Position] = {}
        while True:
            known, pages = len(found), 0
            async for positions in self._pages(GET_POSITIONS, GetPositions(instrument_types=tuple(types))):
                found.update((position.key, position) for position in positions)
                pages += 1
            # A position that closes between two pages shifts another one past the second; a look without news has all.
            if pages == 1 or len(found) == known:
                return list(found.values())

    async def history(self, since: datetime, types: Sequence[InstrumentType] = ALL_TYPES) -> list[Position]:
        """All that were closed at or after `since`, up to now. Raises NotConnected or RequestFailed."""
        end = seconds(self._channel.clock.now() + timedelta(seconds=1))
        query = GetHistory(instrument_types=tuple(types), user_id=self._channel.user_id, end=end, limit=PAGE, offset=0)
        found: dict[PositionKey, Position] = {}
        async for positions in self._pages(GET_HISTORY, query):
            recent = [position for position in positions if (position.closed_at or since) >= since]
            found.update((position.key, position) for position in recent)
            if not recent:
                break  # the newest come first
        return list(found.values())

    async def closed(self, key: PositionKey) -> Position | None:
        """One position of the history. Raises NotConnected or RequestFailed."""
        query = GetHistory(instrument_types=(key.instrument_type,), external_id=key.external_id)
        reply = await self._channel.request(GET_HISTORY, query)
        return next((position for position in reply.positions if position.key == key), None)

    async def watch(self, listener: Listener[Position]) -> Subscription:
        """Every change of this user's positions, except those older than what was already told."""
        newest = Versions()

        def hear(position: Position) -> None:
            if newest.news(position):
                listener(position)

        return await self._channel.subscribe(POSITION_CHANGED, (self._channel.user_id,), hear)

    async def _pages(self, call: Call[Q, PositionPage], query: Q) -> AsyncIterator[tuple[Position, ...]]:
        offset = 0
        while offset < _MOST:
            reply = await self._channel.request(call, replace(query, offset=offset))
            yield reply.positions
            if len(reply.positions) < max(reply.limit, 1):
                return
            offset += len(reply.positions)
        raise UnexpectedReply(f"{call.name} does not end")

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[AsyncIterator[Position]]:
        """Iterate over changes; none is ever dropped. After a reconnect, compare with `open` and `history`.

        A reader that is 10,000 changes late makes the client reconnect.
        """
        changes: Complete[Position] = Complete(_WAITING, lambda: self._channel.reset("positions are not read"))
        subscription = await self.watch(changes.push)
        try:
            yield changes
        finally:
            await subscription.stop()


class Versions:
    """The newest version seen of each of the last few thousand positions (§14.5)."""

    def __init__(self) -> None:
        self._seen: OrderedDict[PositionKey, int] = OrderedDict()

    def news(self, position: Position) -> bool:
        if position.version is None:
            return True
        known = self._seen.get(position.key)
        if known is not None and known >= position.version:
            return False
        self._seen[position.key] = position.version
        self._seen.move_to_end(position.key)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True
