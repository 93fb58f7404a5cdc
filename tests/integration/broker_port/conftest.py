"""A paper broker with a funded user, as the acceptance cases need it."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from libs.bus import Bus
from libs.bus.topology import ALERTS, SESSIONS
from tests.integration.broker_port.quadcode_venue import (
    SEED,
    QuadcodeVenue,
    quadcode_venue,
)
from tests.integration.paper_broker import PaperBroker, StartPaperBroker


@pytest.fixture
async def paper_broker(start_paper_broker: StartPaperBroker, tmp_path: Path) -> PaperBroker:
    accounts = tmp_path / "accounts.json"
    accounts.write_bytes(msgspec.json.encode(SEED))
    return await start_paper_broker(PREGAO_PAPER_ACCOUNTS=str(accounts))


@pytest.fixture
async def user(bus: Bus, paper_broker: PaperBroker) -> AsyncIterator[QuadcodeVenue]:
    await bus.ensure(SESSIONS, ALERTS)
    async with quadcode_venue(bus, paper_broker) as venue:
        yield venue
