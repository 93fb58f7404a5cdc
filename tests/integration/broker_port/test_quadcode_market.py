"""Quadcode-platform brokers pass the acceptance cases of market data."""

from collections.abc import AsyncIterator

import pytest

from libs.bus import Bus
from libs.bus.topology import ALERTS, SESSIONS
from tests.integration.broker_port.market_cases import MarketCases
from tests.integration.broker_port.quadcode_venue import QuadcodeMarketVenue, quadcode_market_venue
from tests.integration.paper_broker import PaperBroker


class TestMarket(MarketCases):
    @pytest.fixture
    async def venue(self, bus: Bus, paper_broker: PaperBroker) -> AsyncIterator[QuadcodeMarketVenue]:
        await bus.ensure(SESSIONS, ALERTS)
        async with quadcode_market_venue(bus, paper_broker) as venue:
            yield venue
