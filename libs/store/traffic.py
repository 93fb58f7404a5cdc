"""What a process asks of the database, counted."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from libs.store.errors import StoreUnavailable


class Traffic:
    """Since the process started."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.answered = 0
        """Refusals, too: the database was there."""
        self.failed = 0
        """Not answered, or not in time."""
        self._seconds = 0.0

    @property
    def asked(self) -> int:
        return self.answered + self.failed

    @property
    def mean_seconds(self) -> float:
        return self._seconds / self.asked if self.asked else 0.0

    @contextmanager
    def request(self) -> Iterator[None]:
        started = time.perf_counter()
        self.in_flight += 1
        try:
            yield
        except StoreUnavailable:
            self.failed += 1
            raise
        except Exception:
            self.answered += 1
            raise
        else:
            self.answered += 1
        finally:
            self.in_flight -= 1
            self._seconds += time.perf_counter() - started
