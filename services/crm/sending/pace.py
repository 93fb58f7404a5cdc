"""So many a second, as providers of mail allow."""

from libs.contracts.clock import Clock


class Pace:
    def __init__(self, per_second: float, clock: Clock) -> None:
        """0: as many as there are."""
        self._between = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._free_at = 0.0

    def turn(self, patience: float) -> float | None:
        """Seconds until the turn of who asks; None: it would be more than `patience`, and no turn was given."""
        now = self._clock.monotonic()
        begins = max(now, self._free_at)
        if begins - now > patience:
            return None
        self._free_at = begins + self._between
        return begins - now
