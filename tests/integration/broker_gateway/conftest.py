"""The gateway on real parts."""

from collections.abc import AsyncIterator

import pytest

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import TRADES
from tests.integration.broker_gateway.floor import Floor, ScriptedBroker
from tests.integration.broker_gateway.rig import Rig
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
