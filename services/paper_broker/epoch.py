"""How the platform counts time: epoch seconds and milliseconds, candle slots and candle ids."""

from libs.contracts.clock import Clock

TICKS_PER_SECOND = 4
"""The fewest that can show all of open, high, low and close of a one-second candle."""

MINUTE = 60
HOUR = 3600
DAY = 86400

BEGINNING = 1384128000
"""2013-11-11T00:00:00Z: no candle starts earlier (quadcode-protocol §11.2)."""
FIRST_DAY = BEGINNING // DAY


def milliseconds(clock: Clock) -> int:
    """Epoch milliseconds."""
    return int(clock.now().timestamp() * 1000)


def first_slot(size: int) -> int:
    """Slot of the first candle; a slot is `start // size`, so every candle starts at a multiple of its size."""
    return -(-BEGINNING // size)


def candle_id(size: int, slot: int) -> int:
    """Counts the candles of a size from 1 without holes: the market never closes for prices."""
    return slot - first_slot(size) + 1


def slot_of(size: int, candle: int) -> int:
    return candle + first_slot(size) - 1


def ticks_before(now: int) -> int:
    """How many ticks of the epoch lie strictly before `now` (ms): the last of them is the current price."""
    return -(-now * TICKS_PER_SECOND // 1000)
