"""When something that comes and goes is worth an alert, and when that is over."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Limit:
    """`clear_at` is at most `raise_at`: between them nothing changes, so that a value that trembles tells nothing."""

    raise_at: float
    """From this value on it is bad…"""
    clear_at: float
    """…and below this one it is well again."""
    hold: float = 0.0
    """Seconds that it must be bad before it is told…"""
    calm: float = 0.0
    """…and well, before it is over."""


class Change(Enum):
    NONE = "none"
    RAISED = "raised"
    CLEARED = "cleared"


class Hysteresis:
    """Of one thing. `RAISED` and `CLEARED` come in turns, beginning with `RAISED`."""

    def __init__(self, limit: Limit, *, raised: bool = False) -> None:
        """`raised`: as somebody before knew it."""
        self.raised = raised
        self._limit = limit
        self._since: float | None = None
        """When it began to be other than it was told."""

    def see(self, value: float, now: float) -> Change:
        """`now` in monotonic seconds; it must not go back."""
        limit = self._limit
        turned = value < limit.clear_at if self.raised else value >= limit.raise_at
        if not turned:
            self._since = None
            return Change.NONE
        if self._since is None:
            self._since = now
        if now - self._since < (limit.calm if self.raised else limit.hold):
            return Change.NONE
        self.raised, self._since = not self.raised, None
        return Change.RAISED if self.raised else Change.CLEARED

    @property
    def at_rest(self) -> bool:
        """Nothing is known of it that would have to be remembered."""
        return not self.raised and self._since is None
