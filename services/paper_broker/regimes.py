"""The moods of a market: calm, ranging, trending and volatile spells, of days between sessions and of hours within one.

A day's mood scales its motion and may give it a direction. The direction is at most a third of a day's deviation: over
a minute it moves the odds of up against down by less than half a percent, far below what a payout takes, and it can
only be guessed from days that are over. Within a session moods only share out the motion: some hours are twice as busy
as others, but never lean anywhere.
"""

from typing import NamedTuple

import numpy as np

from services.paper_broker import noise
from services.paper_broker.noise import Floats, Words


class Regime(NamedTuple):
    motion: float
    """Deviation of a day's return as a multiple of the active's own."""
    drift: float = 0.0
    """Mean of a day's return in such deviations; a spell goes up or down."""
    pull: float = 0.0
    """Share of the way back to where the spell began that a day takes."""


CALM = Regime(0.6)
RANGING = Regime(0.8, pull=0.25)
TRENDING = Regime(1.0, drift=0.3)
VOLATILE = Regime(1.6)
REGIMES = (CALM, RANGING, TRENDING, VOLATILE)
_LONGEST = 8
"""Days of a spell; one is as likely as eight."""

_BUSYNESS = np.array([0.5, 0.8, 1.0, 2.0])
"""Variance of a half hour as a multiple of what its neighbours have."""
_HALF_HOURS = 6
"""Of a spell within a session, on average."""


class Spell(NamedTuple):
    regime: Regime
    direction: int
    days: int


def spell(word: int) -> Spell:
    """Drawn with 64 random bits."""
    rest, up = divmod(word, 2)
    rest, regime = divmod(rest, len(REGIMES))
    return Spell(REGIMES[regime], 1 if up else -1, 1 + rest % _LONGEST)


def activity(word: Words) -> Floats:
    """How a session's motion is shared out over its half hours, for words of shape (sessions, half hours).

    Variances, of which each session's are 1 together.
    """
    sides = len(_BUSYNESS) * _HALF_HOURS
    drawn = noise.die(word, sides)
    begins = np.where(drawn < len(_BUSYNESS), np.arange(word.shape[1]), 0)
    begin = np.maximum.accumulate(begins, axis=1)
    busyness: Floats = _BUSYNESS[np.take_along_axis(drawn, begin, axis=1) % len(_BUSYNESS)]
    shares: Floats = busyness / busyness.sum(axis=1, keepdims=True)
    return shares
