"""What a strategy is: a pure function from a panel of candles to one signal per active."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from libs.strategies.panel import Floats, Panel

CALL, PUT, NONE = 1, -1, 0
"""Directions in `Signals.directions`."""

DEPTH = 200
"""Candles per active that strategies are given live; no warm-up may be longer. Means that reach back to the first
candle (RSI 14, MACD) have settled to six digits by then."""


@dataclass(frozen=True, slots=True)
class Signals:
    """One entry per row of the panel."""

    directions: NDArray[np.int8]
    """CALL, PUT or NONE."""
    confidences: NDArray[np.int16]
    """0..100; 0 where there is no direction."""

    @classmethod
    def where(cls, call: NDArray[np.bool_], put: NDArray[np.bool_], confidence: ArrayLike) -> Self:
        """CALL or PUT where exactly one of them holds; confidences must be whole there."""
        directions = call.astype(np.int8) - put.astype(np.int8)
        return cls(directions, np.where(directions == NONE, 0, confidence).astype(np.int16))

    def only(self, chosen: NDArray[np.bool_]) -> "Signals":
        """NONE elsewhere."""
        return Signals(self.directions * chosen, self.confidences * chosen)


class Stream(Protocol):
    """A strategy that is fed with candles one at a time, for many series at once."""

    def update(self, open: Floats, high: Floats, low: Floats, close: Floats) -> Signals:
        """The next candle of each series; NaN where a series has none this time, which then has no signal."""
        ...


class Strategy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Fields are the parameters, each with a default, bounds and a description, so that one instance is one parameter
    set, and equal ones are equal. Names are camelCase outside of Python. The docstring is shown to users.
    """

    name: ClassVar[str]
    """The `strategy` of a bot's configuration and of every signal it gave: lower case, digits, hyphens."""

    @property
    def warm_up(self) -> int:
        """Candles a row needs before it can have a signal; at most DEPTH."""
        raise NotImplementedError

    def evaluate(self, panel: Panel) -> Signals:
        """Every row at once; NONE where a row has fewer than `warm_up` candles. Does not change the panel."""
        raise NotImplementedError
