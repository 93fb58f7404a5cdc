"""Candles that the scanner makes are those of the broker: a gateway and a paper broker, nothing scripted."""

import asyncio

from libs.bus import Bus
from libs.contracts.market import CANDLE_SIZES, Candle, Feed
from libs.contracts.rpc import CANDLES, CandleQuery
from libs.strategies.panel import Panel
from libs.strategies.strategy import DEPTH
from services.bot_runtime.scanner.folding import fold
from services.bot_runtime.scanner.panels import Panels, history_count
from services.bot_runtime.scanner.sizes import BASE, SIZES
from tests.integration.bot_runtime.test_real_path import broker
from tests.integration.paper_broker import PaperBroker

__all__ = ["broker"]

ACTIVE = 76


async def history(bus: Bus, size: int, count: int) -> list[Candle]:
    """Without the candle that is running."""
    page = await bus.call(CANDLES, CandleQuery(active_id=ACTIVE, size=size, count=count))
    return [candle for candle in page.candles if candle.at.timestamp() >= candle.end]


async def history_until(bus: Bus, size: int, end: int) -> dict[int, Candle]:
    """By their ends, once the candle that ends then is told as closed: sizes close one after the other."""
    async with asyncio.timeout(20):
        while end not in (known := {candle.end: candle for candle in await history(bus, size, 1000)}):
            await asyncio.sleep(0.1)
    return known


async def test_larger_candles_equal_the_brokers_own(broker: PaperBroker, bus: Bus) -> None:
    for size in (size for size in SIZES if size in CANDLE_SIZES and size != BASE):
        base = await history(bus, BASE, 1000)
        panel = Panel(BASE, len(base))
        panel.load(ACTIVE, base)
        made = fold(panel, 0, size, -(-base[0].start // size) * size)
        assert len(made) >= 9000 // size - 1
        own = await history_until(bus, size, made[-1].end)
        for bar in made:
            candle = own[bar.end]
            assert (bar.open, bar.high, bar.low, bar.close) == (candle.open, candle.high, candle.low, candle.close)


async def test_every_row_is_full_after_the_histories_have_come(broker: PaperBroker, bus: Bus) -> None:
    panels = Panels()
    for size in (10, 30, 60, 300, 900, 1800, 3600):
        panels.load(Feed(ACTIVE, size), await history(bus, size, history_count(Feed(ACTIVE, size))))
    assert {size: int(panel.counts[0]) for size, panel in panels.of.items()} == dict.fromkeys(SIZES, DEPTH)
