"""Which candles exist: those of one size at one trading place, numbered from 1 without holes (quadcode-protocol §11.4).

A candle starts a whole number of sizes after the beginning of history, Monday 2013-11-11T00:00 UTC: for sizes up to a
day these are the multiples of the epoch, weeks start on Mondays, and a month is thirty days from there. A candle exists
if the market is open at any time of it, so closings take no numbers.
"""

from typing import NamedTuple

from services.paper_broker.epoch import BEGINNING, DAY
from services.paper_broker.hours import Place, hours, market_time


class Grid(NamedTuple):
    place: Place
    size: int

    def before(self, second: int) -> int:
        """How many candles start before an epoch second, which is also the number of the last of them."""
        if second <= BEGINNING:
            return 0
        if self.size > DAY:
            return -((BEGINNING - second) // self.size)
        day, rest = divmod(second - BEGINNING, DAY)
        its = hours(self.place)
        today = min(max(-(-rest // self.size) - self._first, 0), self._daily) if its.trades_on(day) else 0
        return its.sessions_before(day) * self._daily + today

    def start(self, number: int) -> int:
        """Epoch second at which a candle starts."""
        if self.size > DAY:
            return BEGINNING + (number - 1) * self.size
        session, candle = divmod(number - 1, self._daily)
        return BEGINNING + hours(self.place).day(session) * DAY + (self._first + candle) * self.size

    def opens(self, number: int) -> int:
        """Market time at which a candle begins; the one before it has ended there."""
        return market_time(self.place, self.start(number))

    @property
    def _first(self) -> int:
        """Candles of a day before its session."""
        return hours(self.place).opens // self.size

    @property
    def _daily(self) -> int:
        """Candles of a session."""
        return -(-hours(self.place).closes // self.size) - self._first
