"""Figures of now for operators: asked of analytics while any listens, of one of them or of a thousand."""

import asyncio

import structlog

from libs.bus import Bus
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import NoQuery
from libs.contracts.admin_rows import Realtime
from libs.contracts.rpc import RpcError
from services.socket_edge import emissions
from services.socket_edge.errors import unavailable
from services.socket_edge.fanout import Fanout
from services.socket_edge.operators import OperatorEvents
from services.socket_edge.payloads import Ack, MetricsUpdate

_PERIOD = 2.0
_TIMEOUT = 1.5

log = structlog.get_logger()


class Metrics:
    def __init__(self, bus: Bus, fanout: Fanout, operators: OperatorEvents) -> None:
        self._bus = bus
        self._fanout = fanout
        self._operators = operators

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            if self._operators.listening:
                try:
                    self._tell(await self._figures(), self._operators.listening)
                except RpcError as error:
                    log.info("no_metrics", error=str(error))

    async def answer(self, sid: str, _: object) -> Ack:
        """Answers `request:metrics`. Raises ApiError."""
        try:
            self._tell(await self._figures(), frozenset({sid}))
        except RpcError as error:
            raise unavailable() from error
        return Ack(ok=True)

    async def _figures(self) -> MetricsUpdate:
        return metrics_of(await self._bus.call(rpc.REALTIME, NoQuery(), timeout=_TIMEOUT))

    def _tell(self, figures: MetricsUpdate, sids: frozenset[str]) -> None:
        """The next replace them: who reads slowly is not cut off for them."""
        packet = self._fanout.encode(emissions.METRICS, figures)
        for sid in sids:
            self._fanout.offer(sid, packet)


def metrics_of(now: Realtime) -> MetricsUpdate:
    return MetricsUpdate(
        timestamp=now.timestamp,
        uptime=now.uptime,
        total_users=now.total_users,
        active_bots=now.active_bots,
        active_sessions=now.active_sessions,
        trades_today=now.trades_today,
        win_rate=now.win_rate_today,
        pnl_today=now.pnl_today,
        services=now.services,
    )
