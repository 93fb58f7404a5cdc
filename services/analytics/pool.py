"""How the connections to the database are (api-contract §4.7)."""

from typing import Any

from msgspec import UNSET

from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import NoQuery
from libs.contracts.clock import Clock
from libs.contracts.database_pool import (
    DatabasePool,
    PoolCheck,
    PoolConfiguration,
    PoolHealth,
    PoolMetrics,
    PoolNow,
    PoolStats,
)
from libs.contracts.rpc import Endpoint
from libs.store import Database
from libs.store.database import CONNECT_TIMEOUT, MOST_CONNECTIONS
from services.analytics.probes import Probes

_CONFIGURATION = PoolConfiguration(
    max_connections=MOST_CONNECTIONS,
    min_connections=0,
    connection_timeout=round(1000 * CONNECT_TIMEOUT),
    max_retries=0,
)
"""Whoever asks the database knows for how long it is worth trying again: the connection itself never does."""


class PoolReport:
    """Of this process; nothing is asked of the database for it."""

    def __init__(self, database: Database, probes: Probes, clock: Clock) -> None:
        self._traffic = database.traffic
        self._probes = probes
        self._clock = clock

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return {rpc.DATABASE_POOL: self.answer}

    async def answer(self, _: NoQuery) -> DatabasePool:
        traffic, check = self._traffic, self._check()
        healthy = check is not None and check.status == "healthy"
        answered = traffic.answered / traffic.asked if traffic.asked else 1.0
        return DatabasePool(
            status="healthy" if healthy else "unhealthy",
            health=PoolHealth(
                healthy=healthy,
                utilization_rate=f"{min(traffic.in_flight / MOST_CONNECTIONS, 1.0):.2%}",
                success_rate=f"{answered:.2%}",
                status="connected" if healthy else "disconnected",
                last_check=check.timestamp if check is not None else None,
            ),
            stats=PoolStats(
                connected=healthy,
                configuration=_CONFIGURATION,
                current=PoolNow(
                    active_connections=traffic.in_flight,
                    failed_connections=traffic.failed,
                    successful_connections=traffic.answered,
                ),
                metrics=PoolMetrics(
                    total_queries=traffic.asked,
                    total_retries=0,
                    failed_queries=traffic.failed,
                    average_query_time=round(1000 * traffic.mean_seconds, 3),
                ),
                last_health_check=check,
            ),
            timestamp=self._clock.now(),
        )

    def _check(self) -> PoolCheck | None:
        last = self._probes.last("database")
        if last is None:
            return None
        at, seen = last
        return PoolCheck(
            timestamp=at,
            response_time=seen.latency_ms or 0.0,
            status="healthy" if seen.state == "healthy" else "unhealthy",
            active_connections=self._traffic.in_flight,
            error=UNSET if seen.state == "healthy" else "no answer",
        )
