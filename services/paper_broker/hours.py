"""When markets trade: sessions per trading place, in UTC; no daylight saving, no holidays.

Nothing else knows hours. Besides the schedules it keeps the time of a market, which is what prices and candles follow:
the seconds a place has been open since the beginning of history. It stands still while the place is closed.
"""

from enum import StrEnum
from typing import NamedTuple

from services.paper_broker.epoch import BEGINNING, DAY, HALF_HOUR, HOUR

WEEK = 7
"""Days; history begins on a Monday (1970-01-01 was a Thursday)."""
_FRIDAY = 4
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
    """Epoch seconds, both inclusive for those who buy; prices move until the second before `closes`."""

    opens: int
    closes: int


class Hours(NamedTuple):
    """One session on each of the first `days` days of a week, between seconds of the day: whole half hours."""

    opens: int
    closes: int
    days: int

    @property
    def length(self) -> int:
        """Seconds of a session."""
        return self.closes - self.opens

    def sessions_before(self, day: int) -> int:
        """How many there were before a day, counted from the first of history."""
        week, weekday = divmod(day, WEEK)
        return week * self.days + min(weekday, self.days)

    def day(self, session: int) -> int:
        """The day of a session, both counted from 0."""
        week, weekday = divmod(session, self.days)
        return week * WEEK + weekday

    def trades_on(self, day: int) -> bool:
        return day % WEEK < self.days


_HOURS = {
    Place.ALWAYS: Hours(0, DAY, WEEK),
    Place.FOREX: Hours(0, 22 * HOUR, 5),
    Place.US: Hours(14 * HOUR + HALF_HOUR, 21 * HOUR, 5),
    Place.EUROPE: Hours(8 * HOUR, 16 * HOUR + HALF_HOUR, 5),
    Place.ASIA: Hours(0, 6 * HOUR, 5),
}


def hours(place: Place) -> Hours:
    return _HOURS[place]


def sessions(place: Place, now: int) -> tuple[Session, ...]:
    """Today's and those of the seven days after; `now` in epoch seconds."""
    its = _HOURS[place]
    today = (now - BEGINNING) // DAY
    days = [day for day in range(today, today + _DAYS_SHOWN) if its.trades_on(day)]
    return tuple(Session(BEGINNING + day * DAY + its.opens, BEGINNING + day * DAY + its.closes) for day in days)


def is_open(place: Place, now: int) -> bool:
    """Within the inclusive bounds of today's session; `now` in epoch seconds."""
    its = _HOURS[place]
    day, second = divmod(now - BEGINNING, DAY)
    return its.trades_on(day) and its.opens <= second <= its.closes


def market_time(place: Place, time: int, per_second: int = 1) -> int:
    """How long a place has been open since the beginning, at a time of the epoch.

    Both are in seconds, or in units of which `per_second` make one.
    """
    its = _HOURS[place]
    day, rest = divmod(time - BEGINNING * per_second, DAY * per_second)
    within = 0
    if its.trades_on(day):
        within = min(max(rest - its.opens * per_second, 0), its.length * per_second)
    return its.sessions_before(day) * its.length * per_second + within


def end_of_week(place: Place, now: int) -> int:
    """Epoch second in which Friday's session closes, the first one after `now`."""
    its = _HOURS[place]
    friday = (now - BEGINNING) // DAY // WEEK * WEEK + _FRIDAY
    closes = BEGINNING + friday * DAY + its.closes
    return closes if closes > now else closes + WEEK * DAY
