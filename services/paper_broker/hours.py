"""When actives can be bought: sessions per trading place, in UTC; no daylight saving, no holidays."""

from enum import StrEnum
from typing import NamedTuple

from services.paper_broker.epoch import DAY, HOUR

_FRIDAY = 4
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""
_DAYS_SHOWN = 8


class Place(StrEnum):
    ALWAYS = "always"
    """OTC and crypto: all day, every day."""
    FOREX = "forex"
    """Weekdays, all day but the last two hours."""
    US = "us"
    EUROPE = "europe"
    ASIA = "asia"


class Session(NamedTuple):
    """Epoch seconds, both inclusive."""

    opens: int
    closes: int


_HOURS = {
    Place.ALWAYS: (0, DAY),
    Place.FOREX: (0, 22 * HOUR),
    Place.US: (14 * HOUR + HOUR // 2, 21 * HOUR),
    Place.EUROPE: (8 * HOUR, 16 * HOUR + HOUR // 2),
    Place.ASIA: (0, 6 * HOUR),
}
"""Seconds of the day."""


def sessions(place: Place, now: int) -> tuple[Session, ...]:
    """Today's and those of the seven days after; `now` in epoch seconds."""
    opens, closes = _HOURS[place]
    today = now // DAY
    days = [day for day in range(today, today + _DAYS_SHOWN) if place is Place.ALWAYS or _weekday(day) <= _FRIDAY]
    return tuple(Session(day * DAY + opens, day * DAY + closes) for day in days)


def is_open(place: Place, now: int) -> bool:
    return any(session.opens <= now <= session.closes for session in sessions(place, now)[:1])


def _weekday(day: int) -> int:
    return (day + _EPOCH_WEEKDAY) % 7
