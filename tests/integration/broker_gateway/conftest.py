"""The gateway on real parts."""

from collections.abc import AsyncIterator

import pytest

from libs.bus import Bus
from tests.integration.broker_gateway.rig import Rig
from tests.integration.paper_broker import PaperBroker
from tests.integration.service_process import StartService


@pytest.fixture
async def rig(bus: Bus, paper_broker: PaperBroker, start_service: StartService) -> AsyncIterator[Rig]:
    rig = Rig(bus, paper_broker, start_service)
    stop = await rig.listen()
    yield rig
    await stop()
