"""What a strategy is: a pure function from a panel of candles to one signal per active."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from libs.strategies.panel import Panel

CALL, PUT, NONE = 1, -1, 0
"""Directions in `Signals.directions`."""


@dataclass(frozen=True, slots=True)
class Signals:
    """One entry per row of the panel."""

    directions: NDArray[np.int8]
    """CALL, PUT or NONE."""
    confidences: NDArray[np.int16]
    """0..100; 0 where there is no direction."""


class Strategy(Protocol):
    """Parameters are fields of the implementation, so that one instance is one parameter set."""

    @property
    def name(self) -> str:
        """The `strategy` of a bot's configuration and of every signal it gave."""
        ...

    @property
    def warm_up(self) -> int:
        """Candles a row needs before it can have a signal."""
        ...

    def evaluate(self, panel: Panel) -> Signals:
        """Every row at once; NONE where a row has fewer than `warm_up` candles. Does not change the panel."""
        ...
