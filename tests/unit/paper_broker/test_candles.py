"""get-candles and get-first-candles, case by case (quadcode-protocol §11.1, §11.2, §11.4)."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.candles import Candle, CandleQuery
from services.paper_broker.epoch import BEGINNING
from services.paper_broker.errors import Refused
from tests.unit.paper_broker.world import EURUSD, START, World

NOW_MS = int(START.timestamp() * 1000)
NOW = NOW_MS // 1000
MINUTE = NOW // 60 * 60
WORLD = World()


def candles(size: int = 60, now: int = NOW_MS, **query: Any) -> list[Candle]:
    if "from" in query:
        query["from_"] = query.pop("from")
    return WORLD.broker.history.candles(CandleQuery(active_id=EURUSD, size=size, **query), now)


def starts(size: int = 60, **query: Any) -> list[int]:
    return [candle.from_ for candle in candles(size, **query)]


def test_without_bounds_the_newest_thousand_come_with_the_running_one_last() -> None:
    answer = candles()
    assert len(answer) == 1000
    assert answer[-1].from_ == MINUTE


def test_only_the_running_candle_has_a_time_of_its_last_update() -> None:
    *closed, running = candles(count=10)
    assert all(type(candle.at) is not int for candle in closed)
    assert running.at == NOW_MS * 1_000_000


def test_from_begins_at_the_oldest_candle_that_starts_there_or_later() -> None:
    assert starts(**{"from": MINUTE - 3599}, count=2) == [MINUTE - 3540, MINUTE - 3480]
    assert starts(**{"from": MINUTE - 3600}, count=2) == [MINUTE - 3600, MINUTE - 3540]


def test_a_far_from_gives_the_oldest_thousand_from_there() -> None:
    answer = starts(**{"from": MINUTE - 5000 * 60})
    assert (len(answer), answer[0]) == (1000, MINUTE - 5000 * 60)


def test_from_before_the_beginning_of_history_starts_at_the_beginning() -> None:
    assert starts(3600, **{"from": 0}, count=1) == [BEGINNING]


def test_from_and_to_are_inclusive() -> None:
    assert starts(**{"from": MINUTE - 180}, to=MINUTE - 60) == [MINUTE - 180, MINUTE - 120, MINUTE - 60]
    assert starts(**{"from": MINUTE - 180}, to=MINUTE - 61) == [MINUTE - 180, MINUTE - 120]


def test_to_and_count_give_the_newest_that_start_no_later() -> None:
    assert starts(to=MINUTE - 60, count=2) == [MINUTE - 120, MINUTE - 60]
    assert starts(to=MINUTE - 1, count=1) == [MINUTE - 60]


def test_to_beyond_now_ends_with_the_running_candle() -> None:
    assert starts(to=NOW + 10**6, count=1) == [MINUTE]


def test_only_closed_leaves_the_running_one_out() -> None:
    assert starts(count=2, only_closed=True) == [MINUTE - 120, MINUTE - 60]
    assert starts(**{"from": MINUTE - 60}, only_closed=True) == [MINUTE - 60]


def test_a_running_second_is_not_history() -> None:
    assert starts(1, **{"from": NOW}) == []
    assert starts(1, count=2) == [NOW - 2, NOW - 1]


def test_a_candle_that_has_no_price_yet_does_not_exist() -> None:
    assert starts(count=1, now=MINUTE * 1000) == [MINUTE - 60]
    assert starts(count=1, now=MINUTE * 1000 + 1) == [MINUTE]


def test_from_later_than_to_is_an_empty_answer() -> None:
    assert starts(**{"from": MINUTE - 60}, to=MINUTE - 180) == []


def test_nothing_is_older_than_the_beginning() -> None:
    assert starts(to=BEGINNING - 1) == []
    assert starts(to=BEGINNING + 60, count=1000) == [BEGINNING, BEGINNING + 60]


def test_an_id_range_is_inclusive_and_may_hold_1001() -> None:
    newest = candles(count=1)[0].id
    answer = candles(from_id=newest - 1000, to_id=newest)
    assert [candle.id for candle in answer] == list(range(newest - 1000, newest + 1))


def test_ids_that_do_not_exist_yet_are_left_out() -> None:
    newest = candles(count=1)[0].id
    assert [candle.id for candle in candles(from_id=newest - 1, to_id=newest + 5)] == [newest - 1, newest]
    assert candles(from_id=newest + 1, to_id=newest + 5) == []


def test_half_an_id_range_is_capped() -> None:
    newest = candles(count=1)[0].id
    assert [candle.id for candle in candles(from_id=newest - 1)] == [newest - 1, newest]
    assert [candle.id for candle in candles(to_id=newest - 1)][-1] == newest - 1
    assert len(candles(from_id=1)) == 1000


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ({"from": NOW + 1}, {"from": ["from must not be in the future"]}),
        ({"count": 1001}, {"count": "must be less than or equal to 1000"}),
        ({"count": 0}, {"count": "must be greater than or equal to 1"}),
        ({"from_id": 1, "to_id": 1002}, {"to_id": "must be less than from_id + 1001"}),
        ({"size": 7}, {"size": "must be one of " + ", ".join(map(str, CANDLE_SIZES))}),
    ],
)
def test_a_bad_query_is_refused_with_the_field(query: dict[str, Any], details: dict[str, object]) -> None:
    with pytest.raises(Refused) as refused:
        candles(**query)
    assert (refused.value.status, refused.value.details) == (4220, details)


def test_an_unknown_active_is_refused() -> None:
    with pytest.raises(Refused, match="unknown active"):
        WORLD.broker.history.candles(CandleQuery(active_id=9, size=60), NOW_MS)
    with pytest.raises(Refused, match="unknown active"):
        WORLD.broker.history.first(9)


@given(st.sampled_from(CANDLE_SIZES), st.integers(BEGINNING, NOW), st.integers(1, 1000))
@settings(deadline=None, max_examples=50)
def test_every_answer_is_ascending_without_holes_and_made_of_candles(size: int, start: int, count: int) -> None:
    answer = candles(size, **{"from": start}, count=count)
    assert all(after.id == before.id + 1 and after.from_ == before.to for before, after in pairwise(answer))
    for candle in answer:
        assert candle.to - candle.from_ == size
        assert 0 < candle.min <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.max
        assert candle.volume == 0


@given(st.sampled_from(CANDLE_SIZES), st.integers(1, 100))
@settings(deadline=None, max_examples=50)
def test_by_time_and_by_id_the_same_candles_are_found(size: int, back: int) -> None:
    newest = candles(size, count=min(back, 50))
    assert candles(size, from_id=newest[0].id, to_id=newest[-1].id) == newest


def test_the_first_candle_of_every_size_has_the_id_1_and_is_what_history_begins_with() -> None:
    first = WORLD.broker.history.first(EURUSD)
    assert set(first) == {str(size) for size in CANDLE_SIZES}
    assert first["3600"].from_ == BEGINNING
    for size, candle in first.items():
        assert candle.id == 1
        assert candles(int(size), **{"from": 0}, count=1) == [candle]


def test_prices_are_written_with_the_decimals_of_the_active() -> None:
    assert all(round(price, 6) == price for candle in candles(count=100) for price in (candle.open, candle.max))


@given(st.sampled_from([1, 1938, 2046]), st.sampled_from(CANDLE_SIZES), st.integers(BEGINNING, NOW), st.data())
@settings(deadline=None, max_examples=60)
def test_ids_go_on_over_closings_and_every_candle_is_the_same_however_it_is_found(
    active_id: int, size: int, start: int, data: st.DataObject
) -> None:
    def found(**query: Any) -> list[Candle]:
        return WORLD.broker.history.candles(CandleQuery(active_id=active_id, size=size, **query), NOW_MS)

    answer = found(from_=start, count=200, only_closed=True)
    assert all(after.id == before.id + 1 and after.from_ >= before.to for before, after in pairwise(answer))
    if answer:
        candle = data.draw(st.sampled_from(answer))
        assert found(from_id=candle.id, to_id=candle.id) == [candle]
        assert found(to=candle.from_, count=1) == [candle]
        assert found(from_=candle.from_, to=candle.from_) == [candle]


def test_at_the_weekend_there_is_no_running_candle_but_that_of_the_week() -> None:
    saturday = NOW_MS + 4 * 86_400_000
    shown = {
        size: WORLD.broker.history.candles(CandleQuery(active_id=1, size=size, count=1), saturday)[0]
        for size in CANDLE_SIZES
    }
    assert {size for size, candle in shown.items() if type(candle.at) is int} == {604800, 2592000}
    assert shown[3600].to == NOW // 86400 * 86400 + 3 * 86400 + 22 * 3600
