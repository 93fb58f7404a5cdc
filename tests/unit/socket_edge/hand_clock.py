"""A clock that tests move by hand."""

from datetime import datetime, timedelta

from tests.messages import NOW


class HandClock:
    def __init__(self, began: datetime = NOW) -> None:
        self._began = began
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return 1000.0 + self._elapsed

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds
