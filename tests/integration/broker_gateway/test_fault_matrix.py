"""Every fault of the paper broker at every moment of an order: its books and the trade events end up the same.

All of it happens at the same time, each cell to a user of its own, in one stack.
"""

import asyncio
import os

import pytest

from libs.bus.topology import CATALOGUE
from libs.contracts.market import Catalogue
from libs.contracts.orders import OptionKind
from tests.chaos.lives import Life, digital_matrix, lives, matrix
from tests.chaos.trader import Trader
from tests.integration.broker_gateway.rig import CLOCK, Rig, until

_SCHEDULES = int(os.environ.get("PREGAO_CHAOS_SCHEDULES", "500"))
_SEED = int(os.environ.get("PREGAO_CHAOS_SEED", "1"))
"""Of the first schedule; the others have the next ones."""
_TRADERS = 250
"""At the same time."""


async def started(rig: Rig) -> list[int]:
    """Actives that are traded now."""

    async def known() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await rig.start_gateway(PREGAO_ORDER_GRACE="5")
    await until(known)
    entry = await rig.bus.bucket(CATALOGUE).get("actives", Catalogue)
    assert entry is not None
    return [active.id for active in entry.value.actives if active.tradable(OptionKind.BLITZ, CLOCK.now())]


async def all_books_agree(
    rig: Rig, actives: list[int], cases: dict[str, tuple[Life, ...]], option: OptionKind = OptionKind.BLITZ
) -> None:
    """Or the failure names every case that did not end well."""
    found: dict[str, str] = {}
    places = asyncio.Semaphore(_TRADERS)

    async def run(number: int, name: str, orders: tuple[Life, ...]) -> None:
        trader = Trader(rig, number, actives[number % len(actives)], option)
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
    actives = await started(rig)
    assert len(actives) >= len(matrix()), "an active for each"
    await all_books_agree(rig, actives, matrix())


@pytest.mark.timeout(300)
async def test_every_fault_at_every_moment_of_a_digital_order(rig: Rig) -> None:
    actives = await started(rig)
    cases = digital_matrix()
    await all_books_agree(rig, actives, cases, OptionKind.DIGITAL)
    assert len(rig.closings) >= len(cases) // 2, "most faults leave an order to be settled"


@pytest.mark.timeout(120 + _SCHEDULES // 2)
async def test_random_schedules_of_faults(rig: Rig) -> None:
    """Repeat one with `make chaos SEED=… N=1`."""
    actives = await started(rig)
    seeds = range(_SEED, _SEED + _SCHEDULES)
    await all_books_agree(rig, actives, {f"seed {seed}": lives(seed) for seed in seeds})
    assert len(rig.closings) >= _SCHEDULES // 4, "most faults leave an order to be settled"
