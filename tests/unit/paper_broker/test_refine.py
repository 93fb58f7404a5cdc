import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker import noise
from services.paper_broker.bars import Bar, Bars
from services.paper_broker.refine import refine, ticks
from tests.unit.paper_broker.candles_strategy import bars, columns, equal

STREAM = noise.key("refine")
PARTS = st.sampled_from([2, 3, 4, 5, 12, 24, 60])


@given(bars(), PARTS, st.integers(0, 10**9))
def test_grouped_again_the_children_are_the_parents(parents: Bars, parts: int, first: int) -> None:
    assert equal(refine(parents, parts, STREAM, first).grouped(parts), parents)


@given(bars(), PARTS, st.integers(0, 10**9))
def test_children_follow_each_other_without_gaps_inside_a_parent(parents: Bars, parts: int, first: int) -> None:
    children = refine(parents, parts, STREAM, first)
    opens, closes = children.open.reshape(-1, parts), children.close.reshape(-1, parts)
    assert (opens[:, 1:] == closes[:, :-1]).all()


@given(bars(), PARTS)
def test_every_child_is_a_candle(parents: Bars, parts: int) -> None:
    children = refine(parents, parts, STREAM, 0)
    assert (children.low <= np.minimum(children.open, children.close)).all()
    assert (children.high >= np.maximum(children.open, children.close)).all()


@given(bars(), PARTS, st.integers(0, 10**6), st.data())
def test_a_parent_has_the_same_children_whatever_its_neighbours(
    parents: Bars, parts: int, first: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, parents.length - 1))
    alone = refine(parents.part(index, 1), parts, STREAM, first + index)
    assert equal(alone, refine(parents, parts, STREAM, first).part(index * parts, parts))


def test_one_part_is_the_parent() -> None:
    parents = columns([Bar(10, 15, 8, 12)])
    assert equal(refine(parents, 1, STREAM, 7), parents)


def test_a_flat_candle_stays_flat() -> None:
    flat = columns([Bar(10, 10, 10, 10)])
    assert equal(refine(flat, 5, STREAM, 0), columns([Bar(10, 10, 10, 10)] * 5))


@given(bars(), st.integers(0, 10**9))
def test_the_ticks_of_a_second_show_all_of_its_candle(seconds: Bars, first: int) -> None:
    prices = ticks(seconds, STREAM, first).reshape(-1, 4)
    shown = Bars(prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1])
    assert equal(shown, seconds)


def test_either_extreme_may_come_first() -> None:
    seconds = columns([Bar(10, 20, 5, 10)] * 100)
    seconds_of_ticks = ticks(seconds, STREAM, 0).reshape(-1, 4)
    assert set(seconds_of_ticks[:, 1].tolist()) == {5, 20}
