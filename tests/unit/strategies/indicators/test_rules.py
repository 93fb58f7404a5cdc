"""What TA-Lib does not tell: the flat market, mirrored prices, and figures worked out by hand."""

import numpy as np
import pytest

from libs.strategies.indicators.bollinger import bollinger
from libs.strategies.indicators.directional import atr, directional
from libs.strategies.indicators.macd import macd
from libs.strategies.indicators.means import ema, sma
from libs.strategies.indicators.rsi import rsi, stochastic_rsi
from tests.unit.strategies.indicators.market import random_market

PRICES = [1.08415, 0.1, 1e-8, 109.83, 67012.3]


@pytest.mark.parametrize("price", PRICES)
def test_a_flat_market_is_exactly_flat(price: float) -> None:
    close = np.full((1, 60), price)
    assert sma(close, 20)[0, -1] == price
    assert ema(close, 21)[0, -1] == price
    assert ema(close, 21, last=1)[0, -1] == price
    assert macd(close).histogram[0, -1] == 0
    assert macd(close, last=1).histogram[0, -1] == 0
    assert {float(band[0, -1]) for band in bollinger(close)} == {price}
    assert bollinger(close).bandwidth[0, -1] == 0
    assert atr(close, close, close)[0, -1] == 0
    assert [float(figure[0, -1]) for figure in directional(close, close, close)] == [0, 0, 0, 0]


def test_the_rsi_of_a_market_that_never_fell_is_100_also_of_a_flat_one() -> None:
    close = np.array([[1.0] * 20, [1 + i / 64 for i in range(20)], [1 - i / 64 for i in range(20)]])
    assert rsi(close)[:, -1].tolist() == [100, 100, 0]
    assert rsi(close, last=1)[:, -1].tolist() == [100, 100, 0]
    assert stochastic_rsi(np.full((1, 40), 1.0)).raw[0, -1] == 0


def test_rsi_by_hand() -> None:
    # Mean gain 2/2 and loss 1/2 of the first two changes, then a gain of 1: (1 + 1)/2 and 0.5/2.
    assert rsi(np.array([[1.0, 3.0, 2.0, 3.0]]), 2)[0].tolist() == pytest.approx(
        [np.nan, np.nan, 100 * 1 / 1.5, 100 * 1 / 1.25], nan_ok=True
    )


def test_macd_begins_both_means_at_the_first_candle() -> None:
    # Fast 2: 1.5, then + 2/3 of the way to 4; slow 3: mean of three.
    line = macd(np.array([[1.0, 2.0, 4.0, 7.0]]), fast=2, slow=3, signal=2).line[0]
    fast = 1.5 + 2 / 3 * 2.5
    assert line[2] == pytest.approx(fast - 7 / 3)
    assert np.isnan(line[:2]).all()


def test_mirrored_prices_give_mirrored_figures() -> None:
    market = random_market(4, 3, 120)
    up, down = market.close, 2 - market.close
    assert rsi(down)[:, 20:] == pytest.approx(100 - rsi(up)[:, 20:])
    assert macd(down).histogram[:, 40:] == pytest.approx(-macd(up).histogram[:, 40:])
    mirrored = directional(2 - market.low, 2 - market.high, down)
    assert mirrored.plus[:, 20:] == pytest.approx(directional(market.high, market.low, up).minus[:, 20:])


@pytest.mark.parametrize("length", [0, 1, 2, 13, 14])
def test_too_few_candles_are_nan(length: int) -> None:
    market = random_market(1, 2, length)
    prices = (market.high, market.low, market.close)
    figures = [
        rsi(market.close), sma(market.close, 20), ema(market.close, 20), *macd(market.close), *bollinger(market.close),
        atr(*prices), *directional(*prices), *stochastic_rsi(market.close),
    ]  # fmt: skip
    for figure in figures:
        assert figure.shape == (2, length)
        assert np.isnan(figure).all()
