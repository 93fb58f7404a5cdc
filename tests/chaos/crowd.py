"""Many traders in one stack, all at the same time, each with faults of their own."""

import asyncio
from collections.abc import Iterable

from libs.bus.topology import CATALOGUE
from libs.contracts.market import Catalogue
from libs.contracts.orders import OptionKind
from tests.chaos.lives import MARKET_FAULTS, Cases, Life
from tests.chaos.trader import Trader
from tests.integration.broker_gateway.rig import CLOCK, Rig, until

_TRADERS = 250
"""At the same time."""
_SHARED = 40
"""Actives for those who meet no fault of the market; each of the others has one alone."""


class Crowd:
    def __init__(self, rig: Rig, actives: list[int]) -> None:
        self._rig = rig
        self._places = asyncio.Semaphore(_TRADERS)
        self._shared, alone = actives[:_SHARED], actives[_SHARED:]
        self._alone: asyncio.Queue[int] = asyncio.Queue()
        for active_id in alone:
            self._alone.put_nowait(active_id)

    async def all_books_agree(self, cases: Cases) -> None:
        """Or the failure names every case that did not end well. What has to be waited for most begins first."""
        found: dict[str, str] = {}

        async def run(number: int, name: str, orders: tuple[Life, ...]) -> None:
            async with self._places:
                try:
                    await self._trade(number, orders)
                except (AssertionError, TimeoutError) as problem:
                    found[name] = f"{orders}: {problem!r}"

        ordered = sorted(cases.items(), key=lambda case: not any(_is_long(life) for life in case[1]))
        await asyncio.gather(*(run(number, name, orders) for number, (name, orders) in enumerate(ordered)))
        assert found == {}, "\n".join(f"{name}: {problem}" for name, problem in found.items())

    async def _trade(self, number: int, orders: tuple[Life, ...]) -> None:
        if not _moves_market(orders):
            await self._run(Trader(self._rig, number, self._shared[number % _SHARED]), orders)
            return
        active_id = await self._alone.get()
        try:
            await self._run(Trader(self._rig, number, active_id), orders)
        finally:
            await self._rig.broker.restore_market(active_id)
            self._alone.put_nowait(active_id)

    async def _run(self, trader: Trader, orders: tuple[Life, ...]) -> None:
        await trader.trade(orders)
        await trader.compare()


async def gathered(rig: Rig) -> Crowd:
    """With a gateway, on actives that are traded now: the paper broker offers every kind of option on each."""

    async def known() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await rig.start_gateway(PREGAO_ORDER_GRACE="5")
    await until(known)
    entry = await rig.bus.bucket(CATALOGUE).get("actives", Catalogue)
    assert entry is not None
    now = CLOCK.now()
    return Crowd(rig, [each.id for each in entry.value.actives if each.tradable(OptionKind.BLITZ, now)])


def _is_long(life: Life) -> bool:
    return life.option is not OptionKind.BLITZ and not life.sold


def _moves_market(orders: Iterable[Life]) -> bool:
    return any(fault.kind in MARKET_FAULTS for life in orders for fault in life.faults)
