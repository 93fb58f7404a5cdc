import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.strategies.aggressive import Aggressive
from libs.strategies.panel import Panel
from libs.strategies.registry import STRATEGIES
from libs.strategies.strategy import CALL, NONE, PUT, Strategy
from tests.unit.strategies.series import SIZE, Prices, bar, candle, candles, flat, panel_of, random_walk

Verdict = tuple[int, int]


def evaluate(*series: Sequence[Prices], depth: int = 50) -> list[Verdict]:
    """Direction and confidence of each row."""
    signals = Aggressive().evaluate(panel_of(*series, depth=depth))
    return list(zip(signals.directions.tolist(), signals.confidences.tolist(), strict=True))


def restated_votes(prices: Sequence[Prices]) -> list[tuple[int, float, float]]:
    """The four advisors of api-contract §10.7 said slowly, of one series: direction, confidence and weight of each."""
    opens, closes = [price[0] for price in prices], [price[3] for price in prices]
    last_open, close, previous = opens[-1], closes[-1], closes[-2]
    last_candle = CALL if close > last_open else PUT

    bullish = sum(1 for o, _, _, c in prices[-3:] if c > o)
    bearish = sum(1 for o, _, _, c in prices[-3:] if c < o)
    confidence = 80 if 3 in (bullish, bearish) else 70 if 2 in (bullish, bearish) else 55
    pattern = (PUT if bullish >= 2 else CALL if bearish >= 2 else PUT, confidence, 0.40)

    distance = math.fsum(close - other for other in closes[-20:]) / 20
    percent = distance / (close - distance) * 100
    reversion = (PUT if percent > 0 else CALL, min(50 + 10 * abs(percent), 85) if percent else 52, 0.30)

    gap = abs(last_open - previous) / ((close + previous) / 2) * 100
    gap_side = PUT if last_open > previous else CALL if last_open < previous else last_candle
    gap_vote = (gap_side, min(60 + 20 * gap, 90) if last_open != previous else 50, 0.20)

    resistance, support = max(price[1] for price in prices[-10:]), min(price[2] for price in prices[-10:])
    reach = 0.2 * (resistance - support)
    if resistance - close < reach:
        level = (PUT, 60 + 20 * (1 - (resistance - close) / reach), 0.10)
    elif close - support < reach:
        level = (CALL, 60 + 20 * (1 - (close - support) / reach), 0.10)
    else:
        level = (last_candle, 55, 0.10)
    return [pattern, reversion, gap_vote, level]


def restated(prices: Sequence[Prices]) -> tuple[int, float]:
    """Direction and unrounded confidence."""
    if len(prices) < 20:
        return CALL, 50
    votes = restated_votes(prices)
    call = sum(confidence * weight for side, confidence, weight in votes if side == CALL)
    put = sum(confidence * weight for side, confidence, weight in votes if side == PUT)
    return (CALL, call) if call > put else (PUT, put)


def assert_same(verdict: Verdict, prices: Sequence[Prices]) -> None:
    direction, score = restated(prices)
    assert verdict[0] == direction
    # The mean is summed in another order, so only a score within an ulp or so of a half may be rounded differently.
    assert verdict[1] in {math.floor(score + 0.5 - 1e-9), math.floor(score + 0.5 + 1e-9)}


coarse_series = st.lists(
    st.tuples(st.integers(800, 806), st.integers(800, 806), st.integers(0, 3), st.integers(0, 3)).map(candle),
    min_size=1,
    max_size=60,
)


def test_a_flat_series_is_put_38() -> None:
    assert evaluate(flat(50)) == [(PUT, 38)]


@given(st.floats(1e-6, 1e6))
def test_a_flat_series_is_put_38_at_any_price(price: float) -> None:
    assert evaluate(flat(20, price)) == [(PUT, 38)]


@pytest.mark.parametrize("count", [1, 2, 9, 19])
def test_fewer_than_twenty_candles_are_call_50(count: int) -> None:
    assert evaluate([bar(1.0, 2.0)] * count) == [(CALL, 50)]


def test_without_candles_there_is_no_signal() -> None:
    panel = panel_of(flat(50), [])
    assert Aggressive().evaluate(panel).directions.tolist() == [PUT, NONE]
    assert Aggressive().evaluate(panel).confidences.tolist() == [38, 0]


def test_an_empty_panel_has_no_signals() -> None:
    assert evaluate() == []


def test_a_panel_too_short_to_judge_is_call_50() -> None:
    assert evaluate(flat(50), depth=5) == [(CALL, 50)]


def test_a_row_it_cannot_judge_is_call_50_and_spoils_no_other() -> None:
    assert evaluate(flat(20, 0.0), flat(20, math.nan), flat(20, 1.0)) == [(CALL, 50), (CALL, 50), (PUT, 38)]


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        # After nineteen candles at 1.
        ([bar(1.0, 1.1), bar(1.1, 1.2), bar(1.3, 1.4)], (PUT, 84)),  # all four: 83.5, the highest there is
        ([bar(1.0, 1.1)] * 3, (PUT, 66)),  # 80 × .4 + 85 × .3 + 80 × .1, against a gap
        ([bar(1.1, 1.0)] * 3, (CALL, 56)),  # 80 × .4 + 52 × .3 + 80 × .1, against a gap
        ([bar(1.0, 1.0), bar(1.0, 1.0), bar(1.0, 0.5)], (CALL, 34)),  # 85 × .3 + 80 × .1 beat 55 × .4 + 50 × .2
        ([bar(1.0, 0.99), bar(0.99, 0.99), bar(0.99, 0.9981)], (PUT, 28)),  # 55 × .4 + 60.5 × .1, the lowest
    ],
)
def test_sides_are_scored_by_weight(last: list[Prices], verdict: Verdict) -> None:
    assert evaluate([*flat(19, 1.0), *last]) == [verdict]


def test_only_the_newest_candles_count() -> None:
    rng = random.Random(3)
    wild, calm = random_walk(rng, 30, 0.5), random_walk(rng, 20, 1e-4)
    assert evaluate([*wild, *calm]) == evaluate(calm)


def test_it_equals_the_rules_on_random_markets() -> None:
    rng = random.Random(7)
    series = [random_walk(rng, rng.randint(20, 60), volatility) for volatility in (1e-5, 1e-4, 1e-3, 1e-2) * 250]
    for prices, verdict in zip(series, evaluate(*series), strict=True):
        assert_same(verdict, prices)


@given(st.lists(coarse_series, min_size=1, max_size=4))
def test_it_equals_the_rules_on_awkward_series(series: list[list[Prices]]) -> None:
    for prices, verdict in zip(series, evaluate(*series, depth=60), strict=True):
        assert_same(verdict, prices)


@given(coarse_series)
def test_it_always_answers_within_its_range(prices: list[Prices]) -> None:
    [(direction, confidence)] = evaluate(prices)
    assert direction in (CALL, PUT)
    assert 28 <= confidence <= 84


def test_a_row_fed_candle_by_candle_equals_a_loaded_one() -> None:
    prices = random_walk(random.Random(11), 80, 1e-4)
    fed = Panel(SIZE, 50)
    for next_candle in candles(prices):
        fed.append(next_candle)
    loaded = panel_of(prices)
    assert Aggressive().evaluate(fed).confidences.tolist() == Aggressive().evaluate(loaded).confidences.tolist()


def test_evaluating_does_not_change_the_panel() -> None:
    panel = panel_of(random_walk(random.Random(5), 50, 1e-4))
    before = panel.close.copy()
    Aggressive().evaluate(panel)
    assert np.array_equal(panel.close, before)


def test_strategies_are_found_by_name() -> None:
    strategy: Strategy = STRATEGIES["aggressive"]
    assert strategy.name == "aggressive"
    assert set(STRATEGIES) == {strategy.name for strategy in STRATEGIES.values()}
