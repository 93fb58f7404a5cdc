"""The gateway on real parts."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import ALERTS, TRADES
from libs.contracts.alerts import Alert
from tests.integration.broker_gateway.floor import Floor, ScriptedBroker
from tests.integration.broker_gateway.rig import Rig
from tests.integration.broker_gateway.session_api import SessionApi
from tests.integration.paper_broker import PaperBroker
from tests.integration.service_process import StartService


@pytest.fixture
async def rig(bus: Bus, paper_broker: PaperBroker, start_service: StartService) -> AsyncIterator[Rig]:
    rig = Rig(bus, paper_broker, start_service)
    stop = await rig.listen()
    yield rig
    await stop()


@pytest.fixture
async def floor(bus: Bus) -> AsyncIterator[Floor]:
    floor = Floor(bus, ScriptedBroker())

    async def hear(batch: list[Delivery]) -> None:
        floor.events += [delivery.subject.rsplit(".", 1)[1] for delivery in batch]

    consumption = await bus.consume(Consumer(TRADES.name, "everybody"), hear)
    yield floor
    await consumption.stop()


@pytest.fixture
async def api(paper_broker: PaperBroker) -> AsyncIterator[SessionApi]:
    api = SessionApi(paper_broker)
    app = web.Application()
    app.router.add_post("/sessions/{user}", api.handle)
    server = TestServer(app)
    await server.start_server()
    paper_broker.session_url = str(server.make_url("/sessions"))
    yield api
    await server.close()


@pytest.fixture
async def told(rig: Rig) -> AsyncIterator[list[Alert]]:
    """What an operator is told."""
    told: list[Alert] = []

    async def hear(batch: list[Delivery]) -> None:
        told.extend(delivery.decode(Alert) for delivery in batch)

    consumption = await rig.bus.consume(Consumer(ALERTS.name, "operator"), hear)
    yield told
    await consumption.stop()
