"""Whether the broker and the database answer, asked in the background so that nobody waits to be told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from libs.bus import Bus
from libs.contracts.rpc import CANDLES, CandleQuery, ErrorCode, RpcError
from services.socket_edge.responses import Connections

log = structlog.get_logger()

_PERIOD = 10.0
_TIMEOUT = 3.0

Link = Literal["connected", "disconnected"]


class Dependencies:
    def __init__(self, bus: Bus, database: Callable[[], Awaitable[bool]]) -> None:
        """`database()`: whether a query comes back."""
        self._bus = bus
        self._database = database
        self._last = Connections(avalon="disconnected", supabase="disconnected")

    def connections(self) -> Connections:
        """As of the last look, at most some seconds ago."""
        return self._last

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            broker, database = await asyncio.gather(self._broker(), self._database())
            found = Connections(avalon=_link(broker), supabase=_link(database))
            if found != self._last:
                log.info("dependencies_changed", avalon=found.avalon, supabase=found.supabase)
            self._last = found
            await asyncio.sleep(_PERIOD)

    async def _broker(self) -> bool:
        """Only a gateway with a session to the broker answers this question; size 0 keeps the broker out of it."""
        try:
            await self._bus.call(CANDLES, CandleQuery(active_id=0, size=0, count=1), timeout=_TIMEOUT)
        except RpcError as error:
            return error.code is ErrorCode.INVALID_REQUEST
        return True


def _link(answers: bool) -> Link:
    return "connected" if answers else "disconnected"
