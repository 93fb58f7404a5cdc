"""Trading days and hours in a user's time zone. Times handed in and out are UTC."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from libs.contracts.money import TradingWindow

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK = 8
"""Days to look ahead for the next opening: today's may be over."""
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of any clock


class Calendar:
    def __init__(self, time_zone: str) -> None:
        """An IANA name."""
        self.zone = ZoneInfo(time_zone)

    def day_of(self, at: datetime) -> str:
        """ISO date of the trading day: the local one."""
        return self._local_date(at).isoformat()

    def day_start(self, at: datetime) -> datetime:
        """The midnight before; where clocks skip midnight, the moment they do."""
        return self._at(self._local_date(at), time())

    def day_end(self, at: datetime) -> datetime:
        return self._at(self._local_date(at) + timedelta(days=1), time())

    def hour_of(self, at: datetime) -> int:
        """Clock hours since 1970: the local ones, so that no day begins within one. One that clocks repeat is one."""
        return (self._local(at) - _EPOCH) // _HOUR

    def hour_end(self, at: datetime) -> datetime:
        return at + _HOUR - (self._local(at) - _EPOCH) % _HOUR

    def is_open(self, windows: tuple[TradingWindow, ...], at: datetime) -> bool:
        yesterday = self._local_date(at) - timedelta(days=1)
        return any(opens <= at < closes for opens, closes in self._openings(windows, yesterday, 2))

    def next_opening(self, windows: tuple[TradingWindow, ...], at: datetime) -> datetime:
        return min(opens for opens, _ in self._openings(windows, self._local_date(at), _WEEK) if opens > at)

    def _openings(
        self, windows: tuple[TradingWindow, ...], first: date, days: int
    ) -> Iterator[tuple[datetime, datetime]]:
        for day in (first + timedelta(days=number) for number in range(days)):
            for window in windows:
                if _WEEKDAYS[day.weekday()] in window.days:
                    opens, closes = time.fromisoformat(window.opens), time.fromisoformat(window.closes)
                    last = day if closes > opens else day + timedelta(days=1)
                    yield self._at(day, opens), self._at(last, closes)

    def _local_date(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _local(self, at: datetime) -> datetime:
        """What clocks show, without the zone: differences of such times are of clocks."""
        return at.astimezone(self.zone).replace(tzinfo=None)

    def _at(self, day: date, of_day: time) -> datetime:
        return datetime.combine(day, of_day, self.zone).astimezone(UTC)


UTC_DAYS = Calendar("UTC")
