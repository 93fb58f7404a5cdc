"""What one socket, one user and one address may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SocketLimits:
    budget: int = 1024 * 1024
    """Bytes that may wait for one socket."""
    per_user: int = 20
    """Sockets."""
    per_address: int = 200
    """Connections."""
    feeds: int = 16
    """Watched by one socket."""
    events_per_second: int = 20
    """Emitted by one socket; twice as many in a burst."""
    message_size: int = 64 * 1024
    """Bytes of one message of a client."""
    resume_events: int = 1000
    """Sent again to one socket."""
    ping_interval: float = 25.0
    """Seconds."""
    ping_timeout: float = 20.0
    """Seconds."""


class Meter:
    """Lets `rate` a second pass, and at once twice as many (a token bucket)."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = 2 * rate
        self._at = now

    def passes(self, now: float) -> bool:
        """`now`: monotonic seconds."""
        self._left = min(2 * self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
