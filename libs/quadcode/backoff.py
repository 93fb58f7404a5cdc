"""How long to wait before the next try."""

from collections.abc import Callable

Jitter = Callable[[], float]
"""A random number in [0, 1)."""


class Backoff:
    """Doubles from `first` to `cap` seconds, each wait stretched by up to `spread` seconds.

    The spread keeps a thousand clients that lost the same server from coming back in the same moment.
    """

    def __init__(self, first: float, cap: float, spread: float, jitter: Jitter) -> None:
        self._first = first
        self._cap = cap
        self._spread = spread
        self._jitter = jitter
        self._base = first

    def next(self) -> float:
        """Seconds to wait now."""
        delay = self._base + self._spread * self._jitter()
        self._base = min(self._base * 2, self._cap)
        return delay

    def reset(self) -> None:
        self._base = self._first
