"""Per closed trade: the trade, then the score, then the result; nothing waits longer than two seconds."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.socket_edge.news import News, Step
from services.socket_edge.sequence import PATIENCE, Sequence

STEPS = tuple(Step)


def news(order: str, step: Step) -> News:
    return News((), order, step)


PLAIN = News(())


@pytest.mark.parametrize("arrival", list(permutations(STEPS)))
def test_a_closed_trade_is_told_in_order_however_it_arrives(arrival: tuple[Step, ...]) -> None:
    sequence = Sequence()
    told = [said.step for step in arrival for said in sequence.add(news("a", step), now=0.0)]
    assert told == list(STEPS)
    assert sequence.deadline is None


def test_the_trade_is_never_held() -> None:
    assert Sequence().add(news("a", Step.TRADE), 0.0) == [news("a", Step.TRADE)]


def test_what_belongs_to_no_trade_is_told_at_once() -> None:
    assert Sequence().add(PLAIN, 0.0) == [PLAIN]


def test_what_comes_later_stays_behind_what_is_held() -> None:
    sequence = Sequence()
    assert sequence.add(news("a", Step.RESULT), 0.0) == []
    assert sequence.add(PLAIN, 0.1) == []
    assert sequence.add(news("a", Step.TRADE), 0.2) == [news("a", Step.TRADE)]
    assert sequence.add(news("a", Step.SCORE), 0.3) == [news("a", Step.SCORE), news("a", Step.RESULT), PLAIN]


def test_the_wait_ends_after_two_seconds() -> None:
    sequence = Sequence()
    sequence.add(news("a", Step.RESULT), 10.0)
    sequence.add(PLAIN, 10.5)
    assert sequence.deadline == 10.0 + PATIENCE
    assert sequence.due(10.0 + PATIENCE - 0.001) == []
    assert sequence.due(10.0 + PATIENCE) == [news("a", Step.RESULT), PLAIN]
    assert sequence.deadline is None


def test_a_trade_that_is_recorded_late_is_still_told() -> None:
    sequence = Sequence()
    sequence.add(news("a", Step.RESULT), 0.0)
    sequence.due(PATIENCE)
    assert sequence.add(news("a", Step.TRADE), 5.0) == [news("a", Step.TRADE)]
    assert sequence.add(news("a", Step.SCORE), 5.0) == [news("a", Step.SCORE)]


def test_two_trades_do_not_mix() -> None:
    sequence = Sequence()
    assert sequence.add(news("a", Step.RESULT), 0.0) == []
    assert sequence.add(news("b", Step.TRADE), 0.0) == []
    assert sequence.add(news("a", Step.TRADE), 0.0) == [news("a", Step.TRADE)]
    assert sequence.add(news("a", Step.SCORE), 0.0) == [
        news("a", Step.SCORE),
        news("a", Step.RESULT),
        news("b", Step.TRADE),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(STEPS), st.floats(0, 3)), unique_by=lambda item: item[:2]
    )
)
def test_nothing_is_lost_repeated_or_kept_too_long(arrivals: list[tuple[str, Step, float]]) -> None:
    sequence, now, told = Sequence(), 0.0, []
    for order, step, pause in arrivals:
        now += pause
        told += sequence.due(now)
        told += sequence.add(news(order, step), now)
    told += sequence.due(now + PATIENCE)
    assert sorted((said.order_id, said.step) for said in told) == sorted(arrival[:2] for arrival in arrivals)
