"""The simulated market gives nothing away: a bot must not look better on it than on a real one."""

import numpy as np
import pytest

from services.paper_broker.catalogue import BUILT_IN, Catalogue
from services.paper_broker.freezes import KeptFreezes
from services.paper_broker.grid import Grid
from services.paper_broker.market import Market
from services.paper_broker.storage import IN_MEMORY, Storage

UNTIL = 1_795_000_000
"""Epoch seconds."""


@pytest.mark.parametrize(("size", "count"), [(10, 1000), (60, 2000), (300, 2000), (3600, 1000)])
def test_the_last_candle_does_not_tell_the_next(size: int, count: int) -> None:
    """Neither trend nor reversal: the mean autocorrelation of returns over many actives is about nothing."""
    catalogue = Catalogue.load(BUILT_IN, always_open=True)
    market = Market(1, KeptFreezes(Storage(IN_MEMORY)))
    correlations = []
    for active in list(catalogue)[::6]:
        newest = Grid(active.hours, size).before(UNTIL - size)
        closes = market.bars(active, size, newest - count + 1, count).close.astype(np.float64)
        returns = np.diff(np.log(closes))
        correlations.append(np.corrcoef(returns[1:], returns[:-1])[0, 1])
    assert abs(np.mean(correlations)) < 0.045
