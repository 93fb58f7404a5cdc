from pathlib import Path

import pytest

from services.paper_broker.catalogue import Active
from services.paper_broker.epoch import TICKS_PER_SECOND, ticks_before
from tests.unit.paper_broker.world import EURUSD, START, World

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
    closed = world.broker.market.bars(active, 1, second - 1, 1)
    assert world.broker.market.price_at(active, second) == closed.close[0] / 10**6


def test_a_replayed_active_shows_the_prices_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "eur.csv"
    path.write_text(
        "timestamp,open,high,low,close\n2012-02-01 00:00,1.5,1.75,1.25,1.5\n2012-02-01 00:01,1.5,1.75,1.25,1.5\n"
    )
    world = World(paper_market={"EURUSD-OTC": path}, paper_speed=60)
    active = the_active(world)
    candle = world.broker.market.bars(active, 60, TICK // TICKS_PER_SECOND // 60, 1)
    scale = 10 ** world.broker.market.precision(active)
    assert [int(column[0]) / scale for column in candle] == [1.5, 1.75, 1.25, 1.5]


def test_a_file_more_precise_than_the_active_sets_the_precision(tmp_path: Path) -> None:
    path = tmp_path / "eur.csv"
    row = "1.12345678,1.12345678,1.12345678,1.12345678"
    path.write_text(f"timestamp,open,high,low,close\n2012-02-01 00:00,{row}\n2012-02-01 00:01,{row}\n")
    world = World(paper_market={"EURUSD-OTC": path})
    assert world.broker.market.precision(the_active(world)) == 8
    assert world.broker.market.quote(the_active(world), TICK).value == 1.12345678
