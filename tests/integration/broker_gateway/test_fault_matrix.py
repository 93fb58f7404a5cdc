"""Every fault of the paper broker at every moment of an order: its books and the trade events end up the same.

All of it happens at the same time, each cell to a user of its own, in one stack.
"""

import asyncio
import os

import pytest

from libs.bus.topology import CATALOGUE
from libs.contracts.market import Catalogue
from tests.chaos.lives import Life, lives, matrix
from tests.chaos.trader import Trader
from tests.integration.broker_gateway.rig import Rig, until

_SCHEDULES = int(os.environ.get("PREGAO_CHAOS_SCHEDULES", "500"))
_SEED = int(os.environ.get("PREGAO_CHAOS_SEED", "1"))
"""Of the first schedule; the others have the next ones."""
_TRADERS = 250
"""At the same time."""


async def started(rig: Rig) -> None:
    async def known() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await rig.start_gateway(PREGAO_ORDER_GRACE="5")
    await until(known)


async def all_books_agree(rig: Rig, cases: dict[str, tuple[Life, ...]]) -> None:
    """Or the failure names every case that did not end well."""
    found: dict[str, str] = {}
    places = asyncio.Semaphore(_TRADERS)

    async def run(number: int, name: str, orders: tuple[Life, ...]) -> None:
        trader = Trader(rig, number)
        async with places:
            try:
                await trader.trade(orders)
                await trader.compare()
            except (AssertionError, TimeoutError) as problem:
                found[name] = f"{orders}: {problem!r}"

    await asyncio.gather(*(run(number, name, orders) for number, (name, orders) in enumerate(cases.items())))
    assert found == {}, "\n".join(f"{name}: {problem}" for name, problem in found.items())


@pytest.mark.timeout(150)
async def test_every_fault_at_every_moment(rig: Rig) -> None:
    await started(rig)
    await all_books_agree(rig, matrix())


@pytest.mark.timeout(120 + _SCHEDULES // 2)
async def test_random_schedules_of_faults(rig: Rig) -> None:
    """Repeat one with `make chaos SEED=… N=1`."""
    await started(rig)
    seeds = range(_SEED, _SEED + _SCHEDULES)
    await all_books_agree(rig, {f"seed {seed}": lives(seed) for seed in seeds})
    assert len(rig.closings) >= _SCHEDULES // 4, "most faults leave an order to be settled"
