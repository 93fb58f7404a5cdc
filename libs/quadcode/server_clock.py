"""What time it is at the broker (quadcode-protocol §3.6)."""

from datetime import datetime, timedelta

from libs.contracts.clock import Clock
from libs.quadcode.epoch import from_milliseconds


class ServerClock:
    """The last `timeSync` plus the monotonic time since; our own clock until the first one comes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base: datetime | None = None
        self._heard = clock.monotonic()

    def now(self) -> datetime:
        if self._base is None:
            return self._clock.now()
        return self._base + timedelta(seconds=self.silence)

    @property
    def silence(self) -> float:
        """Seconds since the broker last told the time, or since the connection was made."""
        return self._clock.monotonic() - self._heard

    @property
    def heard(self) -> datetime:
        """The time when the broker last told it, or the connection was made: all it pushed before has come."""
        return self.now() - timedelta(seconds=self.silence)

    def sync(self, milliseconds: float) -> None:
        self._base = from_milliseconds(milliseconds)
        self._heard = self._clock.monotonic()

    def connected(self) -> None:
        """Silence counts from here; what is known of the time stays."""
        if self._base is not None:
            self._base = self.now()
        self._heard = self._clock.monotonic()
