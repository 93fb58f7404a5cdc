"""Quadcode-platform brokers pass the acceptance cases of sessions."""

import pytest

from tests.integration.broker_port.quadcode_venue import QuadcodeVenue
from tests.integration.broker_port.session_cases import SessionCases
from tests.integration.broker_port.venue import Witness

pytestmark = pytest.mark.takes(45)


class TestSession(SessionCases):
    @pytest.fixture
    async def venue(self, user: QuadcodeVenue) -> QuadcodeVenue:
        return user

    @pytest.fixture
    def witness(self, user: QuadcodeVenue) -> Witness:
        return user.witness
