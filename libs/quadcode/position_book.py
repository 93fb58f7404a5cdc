"""The open positions, kept in step with the broker's over every reconnect (quadcode-protocol §14.5, §14.6)."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from decimal import Decimal
from types import TracebackType
from typing import Self

import structlog
from msgspec import Struct

from libs.quadcode.background import run_beside
from libs.quadcode.declarations import Call, Channel, Listener, Topic
from libs.quadcode.errors import NotConnected, RequestFailed
from libs.quadcode.frames import Result
from libs.quadcode.positions import Position, PositionKey, Positions, Versions

log = structlog.get_logger()

_REFRESH = 60.0
"""Seconds between two requests for live states (§14.6)."""
_RETRY = 1.0
"""Seconds until what the broker did not answer is asked again; doubled up to the refresh."""
_UNNOTICED = timedelta(seconds=60)
"""For which a connection that has ended may not have been noticed yet."""
_REMEMBERED = 4096


class PositionState(Struct, frozen=True, kw_only=True):
    """What an open position is worth now; money in major units."""

    id: str
    """Internal; unique only within an instrument type."""
    instrument_type: str
    current_price: float
    sell_profit: Decimal = Decimal(0)
    """What selling it now would pay out."""
    pnl: Decimal = Decimal(0)
    pnl_net: Decimal = Decimal(0)
    expected_profit: Decimal = Decimal(0)
    quote_timestamp: float | None = None
    """Epoch milliseconds (assumed: §14.6)."""


class PositionsState(Struct, frozen=True):
    positions: tuple[PositionState, ...]


class SubscribePositions(Struct, frozen=True):
    ids: tuple[str, ...]
    """Internal ids of all that are open."""
    frequency: str = "frequent"


SUBSCRIBE_POSITIONS = Call("portfolio.subscribe-positions", "1.0", SubscribePositions, Result)
POSITIONS_STATE = Topic("portfolio.positions-state", "1.0", "portfolio", "positions-state", PositionsState)


class PositionBook:
    """`async with PositionBook(client, listener) as book`.

    `listener` hears every change, none that is older than what it heard, and each closing exactly once: what closed
    while there was no connection, known or not, is found in the history and told as well. What was open when the book
    began is in `open` and is not told.
    """

    def __init__(
        self, channel: Channel, listener: Listener[Position], on_state: Listener[PositionState] | None = None
    ) -> None:
        """`on_state` hears about once a second what each open position is worth."""
        self._channel = channel
        self._positions = Positions(channel)
        self._listener = listener
        self._on_state = on_state
        self._open: dict[PositionKey, Position] = {}
        self._versions = Versions()
        self._ended: OrderedDict[PositionKey, None] = OrderedDict()
        self._touched: set[PositionKey] | None = None
        """What is heard while the broker's list is on its way; it is newer than the list."""
        self._began = self._sure_until = channel.clock.now()
        """The broker's time; all closings before the latter were heard."""
        self._stale = True
        self._wake = asyncio.Event()
        self._resources = AsyncExitStack()

    @property
    def open(self) -> Mapping[PositionKey, Position]:
        return self._open

    async def __aenter__(self) -> Self:
        """Raises NotConnected or RequestFailed."""
        self._began = self._sure_until = self._channel.clock.now()
        async with AsyncExitStack() as stack:
            stack.callback(self._channel.when_connected(self._reconnected))
            stack.push_async_callback((await self._positions.watch(self._hear)).stop)
            if self._on_state is not None:
                stack.push_async_callback((await self._channel.subscribe(POSITIONS_STATE, (), self._value)).stop)
            await self._begin()
            run_beside(stack, self._keep(), "quadcode:positions")
            self._resources = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    def _reconnected(self) -> None:
        self._stale = True
        self._wake.set()

    def _hear(self, position: Position) -> None:
        if self._touched is not None:
            self._touched.add(position.key)
        if self._learn(position):
            self._tell(position)

    def _learn(self, position: Position) -> bool:
        """Whether it was news; a closing is, whatever its version, once."""
        key = position.key
        if key in self._ended or not (self._versions.news(position) or position.closed):
            return False
        if position.closed:
            self._open.pop(key, None)
            self._ended[key] = None
            if len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)
        else:
            if key not in self._open:
                self._wake.set()
            self._open[key] = position
        return True

    def _tell(self, position: Position) -> None:
        try:
            self._listener(position)
        except Exception:
            log.exception("listener_failed", instrument_type=position.instrument_type, external_id=position.external_id)

    def _value(self, state: PositionsState) -> None:
        if self._on_state is not None:
            for position in state.positions:
                self._on_state(position)

    async def _keep(self) -> None:
        pause, retry = _REFRESH, _RETRY
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            try:
                if self._stale:
                    await self._compare()
                else:
                    self._sure_until = self._channel.clock.heard
                await self._ask_for_states()
            except (NotConnected, RequestFailed) as problem:
                self._stale = True
                log.info("positions_not_compared", problem=str(problem))
            pause = retry if self._stale else _REFRESH
            retry = min(retry * 2, _REFRESH) if self._stale else _RETRY

    async def _begin(self) -> None:
        for position in await self._unheard():
            self._learn(position)
        self._stale = False
        self._wake.set()

    async def _compare(self) -> None:
        """Whatever is neither in the broker's list nor in its history yet is looked for again later."""
        self._stale = False
        began, before = self._channel.clock.now(), dict(self._open)
        listed = {position.key: position for position in await self._unheard()}
        for key, position in listed.items():
            # Without a version nothing tells whether it has changed.
            if self._learn(position) and (key not in before or position.version is not None):
                self._tell(position)
        await self._find_closings()
        # A closing that was heard meanwhile is no longer among the open ones.
        for key in [each for each in before if each in self._open and each not in listed]:
            closed = await self._positions.closed(key)
            if closed is not None and closed.closed:
                self._hear(closed)
            elif self._open.get(key) is before[key]:
                self._stale = True
        self._sure_until = began

    async def _find_closings(self) -> None:
        """Also of what was opened and closed while there was no connection."""
        since = max(self._began, self._sure_until - _UNNOTICED)
        for position in reversed(await self._positions.history(since)):
            self._hear(position)

    async def _unheard(self) -> list[Position]:
        """The broker's list without what changed while it was on its way."""
        touched = self._touched = set()
        try:
            listed = await self._positions.open()
        finally:
            self._touched = None
        return [position for position in listed if position.key not in touched]

    async def _ask_for_states(self) -> None:
        if self._on_state is not None and self._open:
            ids = tuple(position.id for position in self._open.values())
            await self._channel.request(SUBSCRIBE_POSITIONS, SubscribePositions(ids))
