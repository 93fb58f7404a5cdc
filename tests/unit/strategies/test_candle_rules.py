"""`mhi`, `three-candle-flow` and `ema-cross`, by hand-made candles."""

import pytest

from libs.strategies.ema_cross import EmaCross
from libs.strategies.mhi import Mhi
from libs.strategies.strategy import CALL, NONE, PUT
from libs.strategies.three_candle_flow import ThreeCandleFlow
from tests.unit.strategies.series import Prices, bar, moves, verdicts

UP, DOWN, DOJI = bar(1.0, 1.1), bar(1.1, 1.0), bar(1.0, 1.0)


@pytest.mark.parametrize(
    ("last_three", "expected"),
    [
        ([UP, UP, UP], (PUT, 60)),
        ([UP, UP, DOWN], (PUT, 55)),
        ([DOWN, UP, UP], (PUT, 55)),
        ([UP, DOWN, DOWN], (CALL, 55)),
        ([DOWN, DOWN, DOWN], (CALL, 60)),
        ([UP, DOJI, DOWN], (NONE, 0)),
        ([DOWN, DOWN, DOJI], (NONE, 0)),
    ],
)
def test_mhi_is_the_minority_of_the_last_three(last_three: list[Prices], expected: tuple[int, int]) -> None:
    assert verdicts(Mhi(), [UP, *last_three]) == [expected]
    direction, confidence = expected
    assert verdicts(Mhi(majority=True), [UP, *last_three]) == [(-direction, confidence)]


def test_mhi_by_blocks_speaks_after_every_fifth_candle() -> None:
    # Candles of ten seconds, the first of which ends at second 20: the fourth ends at 50.
    said = {count: verdicts(Mhi(block=5), [UP] * count)[0][0] for count in range(3, 12)}
    assert {count for count, direction in said.items() if direction != NONE} == {4, 9}


def test_two_candles_are_not_three() -> None:
    assert verdicts(Mhi(), [UP, UP]) == [(NONE, 0)]
    assert verdicts(ThreeCandleFlow(), moves([0.1, 0.1])[1:]) == [(NONE, 0)]


def test_three_strong_candles_in_a_row_go_on() -> None:
    assert verdicts(ThreeCandleFlow(), moves([0.1] * 3), moves([-0.1] * 3)) == [(CALL, 80), (PUT, 80)]


def test_flow_needs_one_colour_growing_closes_and_bodies() -> None:
    back = [bar(1.0, 1.2), bar(1.0, 1.1), bar(1.1, 1.3)]
    wicks: list[Prices] = [(1.0, 1.3, 0.9, 1.1), (1.1, 1.4, 1.0, 1.2), (1.2, 1.5, 1.1, 1.3)]
    for candles in ([UP, DOWN, UP], moves([0.1, 0.1, 0.0])[1:], back, wicks):
        assert verdicts(ThreeCandleFlow(), candles) == [(NONE, 0)]
    assert verdicts(ThreeCandleFlow(min_body=0.2), wicks) == [(CALL, 58)]


def test_flow_of_another_length() -> None:
    assert verdicts(ThreeCandleFlow(candles=5), moves([-0.1] + [0.1] * 4)[1:]) == [(NONE, 0)]
    assert verdicts(ThreeCandleFlow(candles=5), moves([0.1] * 5)) == [(CALL, 80)]


CROSS = EmaCross(fast=3, slow=6, trend=20)


def spoken(strategy: EmaCross, prices: list[Prices]) -> dict[int, int]:
    """Directions by number of candles, where there is one."""
    said = {count: verdicts(strategy, prices[:count])[0][0] for count in range(20, len(prices) + 1)}
    return {count: direction for count, direction in said.items() if direction != NONE}


def test_a_cross_speaks_once_and_only_with_the_trend() -> None:
    # A rise, a dip in which the means cross down above the trend's mean, and a rise on: they cross up again.
    dip = moves([0.1] * 25 + [-0.1] * 5 + [0.1] * 8)
    said = spoken(CROSS, dip)
    assert list(said.values()) == [CALL]
    assert min(said) > 31
    assert list(spoken(CROSS, [(-o, -low, -high, -c) for o, high, low, c in dip]).values()) == [PUT]


def test_a_cross_in_a_weak_market_is_nothing_when_strength_is_asked_for() -> None:
    dip = moves([0.1] * 25 + [-0.1] * 5 + [0.1] * 8)
    assert spoken(EmaCross(fast=3, slow=6, trend=20, min_adx=20, adx_period=5), dip)
    assert not spoken(EmaCross(fast=3, slow=6, trend=20, min_adx=60, adx_period=5), dip)


def test_the_cross_waits_for_its_trend() -> None:
    assert EmaCross().warm_up == 50
    assert EmaCross(min_adx=20, adx_period=25).warm_up == 50
    assert EmaCross(trend=10, min_adx=20).warm_up == 28
    assert EmaCross(trend=10).warm_up == 22
