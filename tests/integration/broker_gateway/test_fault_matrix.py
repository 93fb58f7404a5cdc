"""Every fault of the paper broker at every moment of an order: its books and the trade events end up the same.

All of it happens at the same time, each cell to a user of its own, in one stack.
"""

import pytest

from libs.contracts.orders import OptionKind
from tests.chaos.crowd import gathered
from tests.chaos.lives import hidden_matrix, matrix, sold_matrix
from tests.integration.broker_gateway.rig import Rig

pytestmark = pytest.mark.takes(110)


@pytest.mark.timeout(150)
async def test_every_fault_at_every_moment_of_a_blitz_order_and_of_a_binary_one_that_is_sold(rig: Rig) -> None:
    cases = matrix(OptionKind.BLITZ) | sold_matrix(OptionKind.BINARY)
    await (await gathered(rig)).all_books_agree(cases)
    assert len(rig.closings) >= len(cases) // 2, "most faults leave an order to be settled"


@pytest.mark.timeout(300)
async def test_every_fault_at_every_moment_of_an_order_that_expires_with_the_minute(rig: Rig) -> None:
    kept = matrix(OptionKind.DIGITAL) | matrix(OptionKind.TURBO) | hidden_matrix()
    cases = kept | sold_matrix(OptionKind.DIGITAL) | sold_matrix(OptionKind.TURBO)
    await (await gathered(rig)).all_books_agree(cases)
    assert len(rig.closings) >= len(cases) // 2, "most faults leave an order to be settled"
