"""How the platform counts time: epoch seconds and milliseconds, and the ticks prices move in."""

from libs.contracts.clock import Clock

TICKS_PER_SECOND = 4
"""The fewest that can show all of open, high, low and close of a one-second candle."""

MINUTE = 60
HALF_HOUR = 1800
HOUR = 3600
DAY = 86400

BEGINNING = 1384128000
"""2013-11-11T00:00:00Z, a Monday: no candle starts earlier (quadcode-protocol §11.2)."""


def milliseconds(clock: Clock) -> int:
    """Epoch milliseconds."""
    return int(clock.now().timestamp() * 1000)


def ticks_before(now: int) -> int:
    """How many ticks of the epoch lie strictly before `now` (ms): the last of them is the current price."""
    return -(-now * TICKS_PER_SECOND // 1000)


def current_from(tick: int) -> int:
    """The first epoch millisecond before which `tick` ticks lie."""
    return (tick - 1) * 1000 // TICKS_PER_SECOND + 1
