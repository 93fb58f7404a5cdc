"""The simulated market gives nothing away: a bot must not look better on it than on a real one."""

import numpy as np
import pytest

from services.paper_broker.catalogue import BUILT_IN, Catalogue
from services.paper_broker.freezes import KeptFreezes
from services.paper_broker.grid import Grid
from services.paper_broker.hours import Place
from services.paper_broker.market import Market
from services.paper_broker.noise import Floats
from services.paper_broker.storage import IN_MEMORY, Storage

UNTIL = 1_795_000_000
"""Epoch seconds."""


LEAST_WORTH = 100 / (100 + 86)
"""Share of wins from which on a bot makes money at the best payout."""


def closes(size: int, count: int) -> list[Floats]:
    """Of every sixth active."""
    catalogue = Catalogue.load(BUILT_IN, always_open=True)
    market = Market(1, KeptFreezes(Storage(IN_MEMORY)))
    first = Grid(Place.ALWAYS, size).before(UNTIL - size) - count + 1
    return [market.bars(active, size, first, count).close.astype(np.float64) for active in list(catalogue)[::6]]


@pytest.mark.parametrize(("size", "count"), [(10, 1000), (60, 2000), (300, 2000), (3600, 1000), (86400, 3000)])
def test_the_last_candle_does_not_tell_the_next(size: int, count: int) -> None:
    """Neither trend nor reversal: the mean autocorrelation of returns over many actives is about nothing."""
    returns = [np.diff(np.log(each)) for each in closes(size, count)]
    correlations = [np.corrcoef(each[1:], each[:-1])[0, 1] for each in returns]
    assert abs(np.mean(correlations)) < 0.045


@pytest.mark.parametrize("size", [300, 3600])
@pytest.mark.parametrize("back", [1, 12, 24, 96])
def test_neither_following_nor_fading_a_trend_makes_money(size: int, back: int) -> None:
    """A mood can be guessed from the past, but what it adds to the odds is less than what a payout takes."""
    wins = []
    for prices in closes(size, 10_000):
        trend, result = np.sign(prices[back:-1] - prices[: -back - 1]), np.sign(np.diff(prices))[back:]
        decided = (trend != 0) & (result != 0)
        wins.append((trend == result)[decided].mean())
    assert 1 - (LEAST_WORTH - 0.015) < np.mean(wins) < LEAST_WORTH - 0.015


def test_large_moves_follow_large_ones() -> None:
    sizes = [np.abs(np.diff(np.log(each))) for each in closes(3600, 5000)]
    assert np.mean([np.corrcoef(each[1:], each[:-1])[0, 1] for each in sizes]) > 0.1
