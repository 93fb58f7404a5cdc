from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from services.paper_broker.catalogue import Active, Category
from services.paper_broker.epoch import TICKS_PER_SECOND, ticks_before
from services.paper_broker.grid import Grid
from services.paper_broker.market import Running
from tests.unit.paper_broker.world import APPLE, EURUSD, START, HandClock, World

TICK = ticks_before(int(START.timestamp() * 1000))


def the_active(world: World, active_id: int = EURUSD) -> Active:
    active = world.broker.catalogue.get(active_id)
    assert active is not None
    return active


@pytest.mark.parametrize(("now", "ticks"), [(0, 0), (1, 1), (250, 1), (251, 2), (1000, 4), (1001, 5)])
def test_a_price_counts_from_the_moment_after_its_tick(now: int, ticks: int) -> None:
    assert ticks_before(now) == ticks


def test_every_active_has_a_price_between_bid_and_ask(world: World) -> None:
    for active in world.broker.catalogue:
        quote = world.broker.market.quote(active, TICK)
        assert 0 < quote.bid < quote.value < quote.ask
        assert 0.05 < quote.value / active.price < 20


def test_the_price_at_a_second_is_the_close_of_the_candle_that_ends_there(world: World) -> None:
    active, second = the_active(world), TICK // TICKS_PER_SECOND
    closed = world.broker.market.bars(active, 1, Grid(active.hours, 1).before(second), 1)
    assert world.broker.market.price_at(active, second) == closed.close[0] / 10**6


def test_a_replayed_active_shows_the_prices_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "eur.csv"
    path.write_text(
        "timestamp,open,high,low,close\n2012-02-01 00:00,1.5,1.75,1.25,1.5\n2012-02-01 00:01,1.5,1.75,1.25,1.5\n"
    )
    world = World(paper_market={"EURUSD-OTC": path}, paper_speed=60)
    active = the_active(world)
    candle = world.broker.market.bars(active, 60, Grid(active.hours, 60).before(TICK // TICKS_PER_SECOND), 1)
    scale = 10 ** world.broker.market.precision(active)
    assert [int(column[0]) / scale for column in candle] == [1.5, 1.75, 1.25, 1.5]


def test_a_file_more_precise_than_the_active_sets_the_precision(tmp_path: Path) -> None:
    path = tmp_path / "eur.csv"
    row = "1.12345678,1.12345678,1.12345678,1.12345678"
    path.write_text(f"timestamp,open,high,low,close\n2012-02-01 00:00,{row}\n2012-02-01 00:01,{row}\n")
    world = World(paper_market={"EURUSD-OTC": path})
    assert world.broker.market.precision(the_active(world)) == 8
    assert world.broker.market.quote(the_active(world), TICK).value == 1.12345678


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_while_a_market_is_closed_its_price_stands_still(world: World) -> None:
    apple = the_active(world, APPLE)
    times = ["2026-11-27T21:00:00", "2026-11-27T23:12:13", "2026-11-28T15:00:00", "2026-11-30T14:30:00"]
    assert len({world.broker.market.quote(apple, ticks_before(ms(time))) for time in times}) == 1
    assert world.broker.market.quote(apple, ticks_before(ms("2026-11-30T14:35:00"))).value > 0


def test_a_candle_runs_from_the_opening_to_its_end(world: World) -> None:
    def running(time: str) -> Running | None:
        return world.broker.market.running(the_active(world, APPLE), 14400, ms(time))

    assert running("2026-11-27T14:30:00") is None
    assert running("2026-11-27T14:30:00.250") is not None
    at_closing, after, at_end = running("2026-11-27T21:00"), running("2026-11-27T22:00"), running("2026-11-28T00:00")
    assert at_closing == after == at_end is not None
    assert running("2026-11-28T00:00:00.001") is None
    assert world.broker.market.running(the_active(world, APPLE), 60, ms("2026-11-27T21:00:01")) is None


def test_a_frozen_market_agrees_with_itself(world: World) -> None:
    active, market = the_active(world), world.broker.market
    frozen_at = ms("2026-11-24T12:00:20")
    before = market.quote(active, ticks_before(frozen_at))
    assert market.freeze(active, frozen_at)
    later = frozen_at + 100_000
    assert market.quote(active, ticks_before(later)) == before
    assert market.price_at(active, later // 1000) == before.value
    running = market.running(active, 5, later)
    assert running is not None
    assert len(set(running.bar)) == 1
    assert market.thaw(active, later)
    closed = market.bars(active, 60, Grid(active.hours, 60).before(frozen_at // 1000) + 1, 1)
    assert len({int(column[0]) for column in closed}) == 1
    assert market.quote(active, ticks_before(later + 60_000)) != before


def test_a_restart_does_not_undo_a_freeze(tmp_path: Path) -> None:
    clock, database = HandClock(), str(tmp_path / "broker.sqlite")
    quotes = []
    for change in ("freeze", "thaw", None):
        world = World(clock, database)
        active, market = the_active(world), world.broker.market
        quotes.append(market.quote(active, TICK + 100))
        if change is not None:
            assert getattr(market, change)(active, world.broker.now())
        clock.advance(10)
        quotes.append(market.quote(active, TICK + 30))
        world.storage.close()
    before, *rest = quotes
    frozen = World().broker.market.quote(the_active(World()), TICK)
    assert before != frozen
    assert rest == [frozen, frozen, frozen, before, frozen]


def test_actives_of_a_category_swing_differently_and_a_file_may_say_how(world: World) -> None:
    forex = [active.volatility for active in world.broker.catalogue if active.category is Category.FOREX]
    assert len(set(forex)) == len(forex)
    assert all(0.0038 < volatility < 0.0078 for volatility in forex)
    active = msgspec.convert(
        {"id": 76, "ticker": "A", "name": "A", "category": "forex", "price": 1.0, "volatility": 0.02}, Active
    )
    assert active.volatility == 0.02
