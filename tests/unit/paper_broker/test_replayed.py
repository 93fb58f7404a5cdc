from pathlib import Path

import pytest

from services.paper_broker.epoch import ticks_before
from tests.unit.paper_broker.world import APPLE, EURUSD, HandClock, World

ROWS = 300


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "eur.csv"
    times = [f"2012-02-01 {row // 60:02}:{row % 60:02}" for row in range(1, ROWS + 1)]
    rows = [f"{time},{row}.5,{row}.75,{row}.25,{row}.5" for row, time in enumerate(times, 1)]
    path.write_text("\n".join(["timestamp,open,high,low,close", *rows]))
    return path


def price(world: World) -> float:
    active = world.broker.catalogue.get(EURUSD)
    assert active is not None
    return world.broker.market.quote(active, ticks_before(world.broker.now())).value


def test_a_third_of_the_file_is_history_at_the_first_start(market: Path) -> None:
    world = World(paper_market={"EURUSD-OTC": market}, paper_speed=60)
    assert int(price(world)) == ROWS // 3 + 1


def test_the_replay_moves_at_its_speed(market: Path) -> None:
    world = World(paper_market={"EURUSD-OTC": market}, paper_speed=60)
    before = int(price(world))
    world.clock.advance(7)
    assert int(price(world)) == before + 7


def test_a_restart_continues_where_the_clock_is(market: Path, tmp_path: Path) -> None:
    database, clock = str(tmp_path / "broker.sqlite"), HandClock()
    first = World(clock, database, paper_market={"EURUSD-OTC": market}, paper_speed=60)
    before = int(price(first))
    first.storage.close()
    clock.advance(10)
    second = World(clock, database, paper_market={"EURUSD-OTC": market}, paper_speed=60)
    assert int(price(second)) == before + 10
    second.storage.close()


def test_another_speed_starts_anew(market: Path, tmp_path: Path) -> None:
    database, clock = str(tmp_path / "broker.sqlite"), HandClock()
    first = World(clock, database, paper_market={"EURUSD-OTC": market}, paper_speed=60)
    first.storage.close()
    clock.advance(10)
    second = World(clock, database, paper_market={"EURUSD-OTC": market}, paper_speed=30)
    assert int(price(second)) == ROWS // 3 + 1
    second.storage.close()


def test_a_file_waits_while_its_market_is_closed(market: Path) -> None:
    """AAPL trades from 14:30 to 21:00; the clock shows noon."""
    world = World(paper_market={"AAPL": market}, paper_speed=1)
    apple = world.broker.catalogue.get(APPLE)
    assert apple is not None

    def row(hours: float) -> int:
        time = world.broker.now() + round(hours * 3_600_000)
        return int(world.broker.market.quote(apple, ticks_before(time)).value)

    assert row(0) == row(2.4) == ROWS // 3
    assert row(3.5) == ROWS // 3 + 61
    assert row(9) == row(26.4) == (ROWS // 3 + 390 - 1) % ROWS + 1
