from collections.abc import Awaitable, Callable

import pytest

from libs.bus import Bus
from libs.contracts.alerts import Alert
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.integration.service_process import ServiceProcess, StartService
from tests.unit.bot_runtime.builders import an_active

StartRuntime = Callable[..., Awaitable[ServiceProcess]]


@pytest.fixture
async def gateway(bus: Bus) -> Gateway:
    """With two actives and one connected user."""
    gateway = Gateway(bus)
    await gateway.start(an_active(1), an_active(2))
    await gateway.connect()
    return gateway


@pytest.fixture
async def observer(bus: Bus) -> Observer:
    observer = Observer(bus)
    await observer.follow()
    return observer


@pytest.fixture
async def start_runtime(start_service: StartService, bus: Bus) -> StartRuntime:
    """`await start_runtime(PREGAO_…="…")`: one more process that runs bots."""

    async def start(**variables: str) -> ServiceProcess:
        defaults = {"PREGAO_LEASE_SECONDS": "3", "PREGAO_SCANNER": "false"}
        return await start_service("bot_runtime", "bots", **defaults | variables)

    return start


@pytest.fixture
async def alerts(bus: Bus) -> list[Alert]:
    heard: list[Alert] = []

    async def hear(_: str, alert: Alert) -> None:
        heard.append(alert)

    await bus.subscribe("alert.*", Alert, hear)
    return heard
