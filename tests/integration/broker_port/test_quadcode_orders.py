"""Quadcode-platform brokers pass the acceptance cases of orders."""

import pytest

from tests.integration.broker_port.order_cases import OrderCases
from tests.integration.broker_port.quadcode_venue import QuadcodeVenue

pytestmark = pytest.mark.takes(70)


class TestOrders(OrderCases):
    @pytest.fixture
    async def venue(self, user: QuadcodeVenue) -> QuadcodeVenue:
        return user
