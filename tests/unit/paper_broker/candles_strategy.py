"""Hypothesis strategies of candles in points."""

import numpy as np
from hypothesis import strategies as st

from services.paper_broker.bars import Bar, Bars


@st.composite
def bar(draw: st.DrawFn, highest: int = 10**9) -> Bar:
    low, first, second, high = sorted(draw(st.integers(1, highest)) for _ in range(4))
    opens, close = (first, second) if draw(st.booleans()) else (second, first)
    return Bar(opens, high, low, close)


def bars(max_size: int = 30, highest: int = 10**9) -> st.SearchStrategy[Bars]:
    """At least one."""
    return st.lists(bar(highest), min_size=1, max_size=max_size).map(columns)


def columns(rows: list[Bar]) -> Bars:
    return Bars(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))


def equal(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))
