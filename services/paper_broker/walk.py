"""A market that never was: a random walk that is the same for everyone who asks with the same seed.

From session to session it is a mean-reverting walk of the logarithm, which keeps prices positive and within a range of
years, in the moods of regimes.py. A session is split into half hours, a half hour into minutes, only where somebody
looks. All times here are market time (hours.py), in seconds.
"""

from functools import lru_cache
from math import exp

import numpy as np

from services.paper_broker import noise
from services.paper_broker.bars import Bar, Bars, excursion, joined
from services.paper_broker.epoch import DAY, HALF_HOUR, MINUTE
from services.paper_broker.refine import refine
from services.paper_broker.regimes import CALM, Spell, activity, spell

_REVERSION = 0.005
"""Share of the distance to the middle that a day takes back: ten daily deviations is where prices mostly stay."""
_SESSIONS_AHEAD = 512
_KEPT_PARENTS = 4
"""Whose children are remembered: a live market asks for those of the current half hour and session again and again."""


class Walk:
    """One active's candles of a minute and more."""

    base = MINUTE

    def __init__(self, seed: int, active_id: int, price: float, volatility: float, session: int = DAY) -> None:
        """`price` is the middle, in points; `volatility` the standard deviation of the return of a session.

        `session` is how long one is: seconds, whole half hours.
        """
        self._price = price
        self._volatility = volatility
        self._session = session
        self._parents = {HALF_HOUR: session, MINUTE: HALF_HOUR}
        streams = ("sessions", "spells", "activity", HALF_HOUR, MINUTE)
        self._streams = {name: noise.key(seed, active_id, name) for name in streams}
        self._logarithm = self._spell_began = 0.0
        self._spell = Spell(CALM, 1, 0)
        self._starts = np.array([price])
        self._deviations = np.empty(0)
        self._kept_children = lru_cache(maxsize=_KEPT_PARENTS)(self._children)

    def bars(self, size: int, first: int, count: int) -> Bars:
        """Candles of `size` seconds, whole minutes, of which `first` starts at `first * size`."""
        level = next(level for level in (self._session, HALF_HOUR, MINUTE) if size % level == 0)
        parts = size // level
        return self._level(level, first * parts, count * parts).grouped(parts)

    def span(self, start: int, end: int) -> Bar:
        """One candle over [start, end), whole minutes."""
        pieces = []
        for level, until in self._stairs(start, end):
            if until > start:
                pieces.append(self._level(level, start // level, (until - start) // level).whole())
                start = until
        return joined(pieces)

    def _stairs(self, start: int, end: int) -> list[tuple[int, int]]:
        """Up to the largest level that fits and down again: each level and the time until which it is taken."""
        up = ((MINUTE, HALF_HOUR), (HALF_HOUR, self._session))
        rising = [(level, min(-(-start // above) * above, end // level * level)) for level, above in up]
        return rising + [(level, end // level * level) for level in (self._session, HALF_HOUR, MINUTE)]

    def _level(self, level: int, first: int, count: int) -> Bars:
        if level == self._session:
            return self._sessions(first, count)
        parts = self._parents[level] // level
        parent, last = first // parts, (first + count - 1) // parts
        children = self._kept_children if parent == last else self._children
        return children(level, parent, last).part(first - parent * parts, count)

    def _children(self, level: int, first: int, last: int) -> Bars:
        """Of the parents from `first` to `last`."""
        above, count = self._parents[level], last - first + 1
        parts = above // level
        shares = None
        if level == HALF_HOUR:
            shares = activity(noise.words(self._streams["activity"], first, count, parts))
        return refine(self._level(above, first, count), parts, self._streams[level], first, shares)

    def _sessions(self, first: int, count: int) -> Bars:
        while first + count >= len(self._starts):
            self._extend()
        starts = self._starts[first : first + count + 1]
        opens, closes = starts[:-1], starts[1:]
        word = noise.words(self._streams["sessions"], first, count)[:, 0]
        distance, deviation = np.abs(closes - opens), opens * self._deviations[first : first + count]
        above = excursion(distance, deviation, noise.exponential(word))
        below = excursion(distance, deviation, noise.exponential(word, second=True))
        highs, lows = np.maximum(opens, closes) + above, np.minimum(opens, closes) - below
        return Bars(*(np.rint(column).astype(np.int64) for column in (opens, highs, np.maximum(lows, 1), closes)))

    def _extend(self) -> None:
        done = len(self._deviations)
        steps = noise.normal(noise.words(self._streams["sessions"], done, _SESSIONS_AHEAD)[:, 0])
        spells = noise.words(self._streams["spells"], done, _SESSIONS_AHEAD)[:, 0]
        starts, deviations = [], []
        for step, word in zip(steps.tolist(), spells.tolist(), strict=True):
            deviations.append(self._step(step, word))
            starts.append(self._price * exp(self._logarithm))
        self._starts = np.concatenate([self._starts, starts])
        self._deviations = np.concatenate([self._deviations, deviations])

    def _step(self, step: float, word: int) -> float:
        """Walk over one session; its deviation."""
        if self._spell.days == 0:
            self._spell, self._spell_began = spell(word), self._logarithm
        regime, direction, days = self._spell
        self._spell = Spell(regime, direction, days - 1)
        deviation = self._volatility * regime.motion
        back = _REVERSION * self._logarithm + regime.pull * (self._logarithm - self._spell_began)
        self._logarithm += deviation * (step + direction * regime.drift) - back
        return deviation
