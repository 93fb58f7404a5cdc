"""A clock that tests move by hand."""

from datetime import datetime, timedelta

from tests.messages import NOW


class HandClock:
    def __init__(self) -> None:
        self._elapsed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return 1000.0 + self._elapsed

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds
