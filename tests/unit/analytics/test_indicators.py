"""What administrators are told of the market that a trade was decided on."""

import pytest

from libs.contracts.market import Candle
from services.analytics.indicators import indicators_at
from tests.messages import a_candle


def candles(*closes: float) -> list[Candle]:
    return [a_candle(start=60 * number, end=60 * number + 60, close=close) for number, close in enumerate(closes)]


def test_of_nothing_there_is_nothing() -> None:
    assert indicators_at([]) is None


def test_what_needs_more_candles_is_not_told() -> None:
    told = indicators_at(candles(*(1 + 0.01 * number for number in range(20))))
    assert told is not None
    assert (told.candle_end, told.close, told.rsi14) == (20 * 60, 1.19, 100.0)
    assert told.bollinger_middle == pytest.approx(1.095)
    assert told.bollinger_upper == pytest.approx(1.095 + 2 * 0.01 * (399 / 12) ** 0.5), "of twenty numbers in a row"
    assert told.ema9 == pytest.approx(1.15), "four steps behind, as a mean of nine in a row is"
    assert (told.ema21, told.ema50, told.macd, told.macd_signal, told.macd_histogram) == (None,) * 5


def test_with_enough_of_them_every_one_is_told() -> None:
    told = indicators_at(candles(*(1 + 0.01 * number for number in range(60))))
    assert told is not None
    assert told.macd == pytest.approx(0.07), "means of 12 and 26 in a row are seven steps apart"
    assert told.macd_histogram == pytest.approx(0, abs=1e-9)
    assert told.ema21 == pytest.approx(1.49)
    assert told.ema50 == pytest.approx(1.345)
