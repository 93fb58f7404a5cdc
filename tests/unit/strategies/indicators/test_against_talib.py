"""Every figure that TA-Lib has too, to 1e-9 of it, in every column: where one has a number the other has it as well."""

import numpy as np
import pytest
import talib

from libs.strategies.indicators.bollinger import bollinger
from libs.strategies.indicators.directional import atr, directional
from libs.strategies.indicators.macd import macd
from libs.strategies.indicators.means import ema, sma
from libs.strategies.indicators.rsi import rsi, stochastic_rsi
from libs.strategies.panel import Floats
from tests.unit.strategies.indicators.market import Market, random_market

MARKETS = {
    "calm": random_market(1, 5, 300, volatility=3e-5),
    "usual": random_market(2, 5, 300),
    "wild": random_market(3, 5, 300, volatility=5e-3),
    "bitcoin": random_market(4, 5, 300, price=67012.3, volatility=1e-3),
    "uneven": random_market(5, 5, 300).begun_at((0, 1, 17, 123, 300)),
    "short": random_market(6, 5, 30).begun_at((0, 1, 5, 16, 30)),
}


@pytest.fixture(params=MARKETS)
def market(request: pytest.FixtureRequest) -> Market:
    return MARKETS[request.param]


def agree(ours: Floats, theirs: Floats, scale: float = 0.0) -> None:
    """`scale`: what the figure is a difference of."""
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * max(scale, 1e-9))


def each(figure: object, *prices: Floats, **parameters: object) -> Floats:
    """A one-series function of TA-Lib on every row; it takes leading NaN as we do, but no row without a number."""
    return np.array(
        [np.full(len(row[0]), np.nan) if np.isnan(row[0][-1]) else figure(*row, **parameters) for row in zip(*prices)]  # type: ignore[operator]  # noqa: B905
    )


@pytest.mark.parametrize("period", [2, 9, 20, 50])
def test_simple_mean(market: Market, period: int) -> None:
    agree(sma(market.close, period), each(talib.SMA, market.close, timeperiod=period))


@pytest.mark.parametrize("period", [2, 9, 21, 50])
def test_exponential_mean(market: Market, period: int) -> None:
    agree(ema(market.close, period), each(talib.EMA, market.close, timeperiod=period))


@pytest.mark.parametrize("period", [2, 7, 14, 21])
def test_rsi(market: Market, period: int) -> None:
    agree(rsi(market.close, period), each(talib.RSI, market.close, timeperiod=period))


@pytest.mark.parametrize(("period", "width"), [(5, 1.0), (20, 2.0), (20, 2.5)])
def test_bollinger(market: Market, period: int, width: float) -> None:
    bands = bollinger(market.close, period, width)
    for ours, index in ((bands.upper, 0), (bands.middle, 1), (bands.lower, 2)):
        theirs = each(
            lambda close, index=index: talib.BBANDS(close, timeperiod=period, nbdevup=width, nbdevdn=width)[index],
            market.close,
        )
        agree(ours, theirs)


@pytest.mark.parametrize("period", [2, 7, 14])
def test_atr(market: Market, period: int) -> None:
    agree(
        atr(market.high, market.low, market.close, period),
        each(talib.ATR, market.high, market.low, market.close, timeperiod=period),
    )


@pytest.mark.parametrize("period", [2, 7, 14])
def test_directional(market: Market, period: int) -> None:
    ours = directional(market.high, market.low, market.close, period)
    prices = (market.high, market.low, market.close)
    agree(ours.plus, each(talib.PLUS_DI, *prices, timeperiod=period), 100)
    agree(ours.minus, each(talib.MINUS_DI, *prices, timeperiod=period), 100)
    agree(ours.dx, each(talib.DX, *prices, timeperiod=period), 100)
    agree(ours.adx, each(talib.ADX, *prices, timeperiod=period), 100)


def test_stochastic_rsi(market: Market) -> None:
    ours = stochastic_rsi(market.close, 14, 14, 3, 3)
    strength = each(talib.RSI, market.close, timeperiod=14)
    raw = each(lambda row: talib.STOCHF(row, row, row, fastk_period=14, fastd_period=1)[0], strength)
    agree(ours.raw, raw, 100)
    agree(ours.k, each(talib.SMA, raw, timeperiod=3), 100)
    agree(ours.d, each(talib.SMA, each(talib.SMA, raw, timeperiod=3), timeperiod=3), 100)


def test_macd_is_made_of_exponential_means(market: Market) -> None:
    ours = macd(market.close)
    line = each(talib.EMA, market.close, timeperiod=12) - each(talib.EMA, market.close, timeperiod=26)
    signal = each(talib.EMA, line, timeperiod=9)
    scale = float(np.nanmax(market.close))
    agree(ours.line, line, scale)
    agree(ours.signal, signal, scale)
    agree(ours.histogram, line - signal, scale)


@pytest.mark.parametrize("name", ["calm", "usual", "wild", "bitcoin"])
def test_macd_after_the_start_is_forgotten(name: str) -> None:
    """TA-Lib begins the fast mean fourteen candles later than the first candle, where the original begins it."""
    close = MARKETS[name].close
    ours = macd(close)
    for figure, index in ((ours.line, 0), (ours.signal, 1), (ours.histogram, 2)):
        theirs = each(lambda row, index=index: talib.MACD(row)[index], close)
        assert np.array_equal(np.isnan(figure[:, 33:]), np.isnan(theirs[:, 33:]))
        np.testing.assert_allclose(figure[:, 250:], theirs[:, 250:], atol=1e-9 * float(close.max()))
