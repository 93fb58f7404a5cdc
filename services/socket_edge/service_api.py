"""What this is, whether it lives, and CRM numbers (api-contract §4.1, §3.17)."""

from collections.abc import Awaitable, Callable
from typing import Any

from libs.bus import Bus
from services.socket_edge import requests, responses, routes
from services.socket_edge.dependencies import Dependencies
from services.socket_edge.dispatch import Call
from services.socket_edge.errors import unavailable
from services.socket_edge.route import Route

VERSION = "2.0.0"
_ENDPOINTS: dict[str, Route[Any, Any]] = {
    "status": routes.STATUS,
    "connect": routes.CONNECT,
    "reconnect": routes.RECONNECT,
    "disconnect": routes.DISCONNECT,
    "balance": routes.BALANCE,
    "accountType": routes.ACCOUNT_TYPE,
    "startRuntime": routes.START,
    "stopRuntime": routes.STOP,
    "runtimeStatus": routes.RUNTIME_STATUS,
    "assets": routes.ASSETS,
    "candles": routes.CANDLES,
    "marketScanner": routes.MARKET_SCANNER,
    "strategyPerformance": routes.STRATEGY_PERFORMANCE,
}

Failing = Callable[[], Awaitable[list[str]]]
Empty = Call[requests.Nothing, requests.Nothing]


class ServiceApi:
    def __init__(self, bus: Bus, dependencies: Dependencies, failing: Failing) -> None:
        """`failing()`: what keeps this process from doing its work."""
        self._bus = bus
        self._failing = failing
        self._dependencies = dependencies
        self._started = bus.clock.monotonic()

    async def front(self, _call: Empty) -> responses.Front:
        return responses.Front(
            name="Pregão",
            version=VERSION,
            timestamp=self._bus.clock.now(),
            endpoints={name: f"{route.method} {route.path}" for name, route in _ENDPOINTS.items()},
            connection=self._dependencies.connections(),
        )

    async def health(self, _call: Empty) -> responses.Alive:
        return responses.Alive(
            timestamp=self._bus.clock.now(),
            uptime=round(self._bus.clock.monotonic() - self._started, 3),
            connections=self._dependencies.connections(),
        )

    async def ready(self, _call: Empty) -> responses.Ready:
        """What is missing is for operators: the process tells it where only they can ask (`/health/ready`)."""
        if await self._failing():
            raise unavailable()
        return responses.Ready()
