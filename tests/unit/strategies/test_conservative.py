import random

import msgspec
import numpy as np
import pytest
import talib

from libs.strategies.conservative import Conservative
from libs.strategies.strategy import CALL, NONE, PUT
from tests.unit.strategies.series import Prices, bar, flat, moves, panel_of, random_walk, verdicts

BANDS = Conservative(tolerance_of="bands", tolerance=0.05)


def restated(prices: list[Prices], strategy: Conservative) -> int:
    """The rule of api-contract §10.7 on TA-Lib's figures."""
    close = np.array([price[3] for price in prices])
    strength = talib.RSI(close, 14)[-1]
    upper, _, lower = (band[-1] for band in talib.BBANDS(close, 20, 2, 2))
    line = talib.EMA(close, 12) - talib.EMA(close, 26)
    histogram = line[-1] - talib.EMA(line, 9)[-1]
    inside = (upper - lower) * 0.05
    low, high = (lower * 1.005, upper * 0.995) if strategy.tolerance_of == "price" else (lower + inside, upper - inside)
    if (strength < 40 or close[-1] < low) and histogram > 0:
        return CALL
    return PUT if (strength > 60 or close[-1] > high) and histogram < 0 else NONE


@pytest.mark.parametrize("strategy", [Conservative(), BANDS], ids=["price", "bands"])
@pytest.mark.parametrize("volatility", [1e-4, 5e-3])
def test_it_is_the_rule_of_the_contract(strategy: Conservative, volatility: float) -> None:
    series = [random_walk(random.Random(seed), 60, volatility) for seed in range(400)]
    said = verdicts(strategy, *series)
    assert [direction for direction, _ in said] == [restated(prices, strategy) for prices in series]
    assert {confidence for direction, confidence in said if direction != NONE} == {60}
    assert {CALL, PUT} <= {direction for direction, _ in said}


def test_measured_in_price_it_always_trades_on_currencies_and_measured_in_bands_seldom() -> None:
    series = [random_walk(random.Random(seed), 60, 1e-4) for seed in range(300)]
    share = {
        strategy.tolerance_of: sum(direction != NONE for direction, _ in verdicts(strategy, *series)) / 300
        for strategy in (Conservative(), BANDS)
    }
    assert share["price"] == 1
    assert share["bands"] < 0.3


def test_a_fall_that_slows_down_is_call_and_a_rise_that_slows_down_is_put() -> None:
    falling = moves([-0.01] * 40 + [-0.001] * 5)
    rising = moves([0.01] * 40 + [0.001] * 5)
    assert verdicts(BANDS, falling, rising) == [(CALL, 60), (PUT, 60)]


def test_a_fall_that_speeds_up_is_nothing() -> None:
    assert verdicts(BANDS, moves([-0.001] * 40 + [-0.01] * 5), moves([0.001] * 40 + [0.01] * 5)) == [(NONE, 0)] * 2


@pytest.mark.parametrize("price", [1.08415, 0.1, 109.83])
def test_a_flat_market_is_nothing(price: float) -> None:
    assert verdicts(Conservative(), flat(60, price)) == [(NONE, 0)]


def test_it_needs_as_many_candles_as_macd() -> None:
    prices = random_walk(random.Random(1), 60, 1e-4)
    assert Conservative().warm_up == 34
    assert verdicts(Conservative(), prices[:33]) == [(NONE, 0)]
    assert verdicts(Conservative(), prices[:34])[0][0] != NONE


def test_its_means_are_of_different_lengths() -> None:
    with pytest.raises(msgspec.ValidationError, match="`fast`"):
        msgspec.convert({"fast": 26}, Conservative)


def test_its_parameters_change_the_rule() -> None:
    prices = [bar(1.0, 1.0)]
    assert panel_of(prices).depth
    assert Conservative(rsi_period=40).warm_up == 41
    assert Conservative(slow=50).warm_up == 58
