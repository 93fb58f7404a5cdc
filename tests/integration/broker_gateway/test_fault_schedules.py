"""Random schedules of faults, over orders of every kind: the broker's books and the trade events end up the same."""

import os

import pytest

from tests.chaos.crowd import gathered
from tests.chaos.lives import lives
from tests.integration.broker_gateway.rig import Rig

pytestmark = pytest.mark.takes(30)

_SCHEDULES = int(os.environ.get("PREGAO_CHAOS_SCHEDULES", "15"))
_SEED = int(os.environ.get("PREGAO_CHAOS_SEED", "1"))
"""Of the first schedule; the others have the next ones."""


@pytest.mark.timeout(240 + _SCHEDULES // 2)
async def test_random_schedules_of_faults(rig: Rig) -> None:
    """Repeat one with `make chaos SEED=… N=1`."""
    crowd = await gathered(rig)
    await crowd.all_books_agree({f"seed {seed}": lives(seed) for seed in range(_SEED, _SEED + _SCHEDULES)})
    assert len(rig.closings) >= _SCHEDULES // 4, "most faults leave an order to be settled"
