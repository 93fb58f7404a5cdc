from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.strategies.panel import Appended, Panel
from tests.unit.strategies.series import SIZE, bar, candles, flat, panel_of


def closes(panel: Panel, active_id: int) -> list[float]:
    """What the row holds, without the columns it has not filled."""
    row = panel.row(active_id)
    assert row is not None
    return [float(close) for close in panel.close[row] if not np.isnan(close)]


def test_a_new_row_takes_any_candle() -> None:
    panel = Panel(SIZE, depth=3)
    assert panel.append(candles([bar(1, 2)], first_id=700)[0]) is Appended.ADDED
    assert closes(panel, 1) == [2]


def test_the_newest_candle_is_in_the_last_column_and_the_oldest_leaves() -> None:
    panel = Panel(SIZE, depth=3)
    for candle in candles([bar(0, close) for close in (1, 2, 3, 4)]):
        panel.append(candle)
    assert closes(panel, 1) == [2, 3, 4]
    assert list(panel.ends[0]) == [30, 40, 50]
    assert panel.counts[0] == 3


def test_every_price_has_its_own_array() -> None:
    panel = panel_of([(1.2, 1.4, 1.1, 1.3)], depth=1)
    assert (panel.open[0, 0], panel.high[0, 0], panel.low[0, 0], panel.close[0, 0]) == (1.2, 1.4, 1.1, 1.3)


def test_a_repeated_candle_changes_nothing() -> None:
    panel = panel_of([bar(1, 2), bar(2, 3)])
    assert panel.append(candles([bar(9, 9)], first_id=2)[0]) is Appended.REPEATED
    assert panel.append(candles([bar(9, 9)], first_id=1)[0]) is Appended.REPEATED
    assert closes(panel, 1) == [2, 3]


def test_a_candle_after_a_hole_is_told_as_a_gap_and_not_taken() -> None:
    panel = panel_of([bar(1, 2), bar(2, 3)])
    assert panel.append(candles([bar(3, 4)], first_id=4)[0]) is Appended.GAP
    assert closes(panel, 1) == [2, 3]


def test_loading_replaces_the_row_and_the_next_candle_follows_it() -> None:
    panel = panel_of([bar(1, 2), bar(2, 3)])
    panel.load(1, candles([bar(5, 6), bar(6, 7)], first_id=40))
    assert closes(panel, 1) == [6, 7]
    assert panel.append(candles([bar(7, 8)], first_id=42)[0]) is Appended.ADDED


def test_of_a_history_with_a_hole_only_what_follows_it_is_kept() -> None:
    panel = Panel(SIZE, depth=10)
    panel.load(1, [*candles([bar(0, 1), bar(0, 2)]), *candles([bar(0, 3), bar(0, 4)], first_id=9)])
    assert closes(panel, 1) == [3, 4]
    assert panel.counts[0] == 2


def test_a_history_longer_than_the_panel_keeps_its_end() -> None:
    panel = panel_of([bar(0, close) for close in range(1, 8)], depth=3)
    assert closes(panel, 1) == [5, 6, 7]


def test_loading_nothing_leaves_an_empty_row() -> None:
    panel = panel_of([bar(1, 2)])
    panel.load(1, [])
    assert closes(panel, 1) == []
    assert panel.append(candles([bar(3, 4)], first_id=99)[0]) is Appended.ADDED


def test_a_cleared_row_holds_nothing_and_keeps_its_place() -> None:
    panel = panel_of([bar(1, 2)], [bar(3, 4)])
    panel.clear(1)
    assert panel.actives == (1, 2)
    assert list(panel.counts) == [0, 1]
    assert closes(panel, 1) == []
    assert closes(panel, 2) == [4]


def test_clearing_an_unknown_active_adds_no_row() -> None:
    panel = panel_of([bar(1, 2)])
    panel.clear(9)
    assert panel.actives == (1,)
    assert panel.row(9) is None


@pytest.mark.parametrize("actives", [1, 8, 9, 140])
def test_rows_are_added_as_actives_come(actives: int) -> None:
    panel = panel_of(*(flat(2, price=float(active)) for active in range(1, actives + 1)), depth=4)
    assert panel.close.shape == (actives, 4)
    assert list(panel.close[:, -1]) == [float(active) for active in range(1, actives + 1)]
    assert list(panel.counts) == [2] * actives


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 12)), max_size=60))
def test_whatever_is_offered_each_row_holds_consecutive_candles(offers: list[tuple[int, int]]) -> None:
    panel = Panel(SIZE, depth=4)
    accepted: dict[int, list[int]] = {}
    for active_id, number in offers:
        candle = candles([bar(0, float(number))], active_id, first_id=number)[0]
        if panel.append(candle) is Appended.ADDED:
            accepted.setdefault(active_id, []).append(number)
    for active_id, numbers in accepted.items():
        assert all(after == before + 1 for before, after in pairwise(numbers))
        assert closes(panel, active_id) == [float(number) for number in numbers[-4:]]
