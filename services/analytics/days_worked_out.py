"""Days whose trades changed are added up before somebody asks, who then would wait for it. Not today, which changes all
the time: that is added up when somebody asks."""

import asyncio
from datetime import date, timedelta

import structlog

from libs.bus import Bus
from libs.contracts.account import AccountType
from libs.store import StoreError
from libs.store.trade_figures import TradeFigures
from services.analytics.turns import take_turns

_EVERY = 60.0
"""Seconds."""
_WEEKS = 53
_PAUSE = 0.1
"""After each week that had to be: a database that does one thing after the other has others to answer, too."""
_ACCOUNTS = ((AccountType.REAL,), (AccountType.DEMO,), (AccountType.DEMO, AccountType.REAL))

log = structlog.get_logger()


class DaysWorkedOut:
    """Of all processes one does it."""

    def __init__(self, bus: Bus, figures: TradeFigures) -> None:
        self._bus = bus
        self._figures = figures

    async def run(self) -> None:
        """Until cancelled."""
        await take_turns(self._bus, "days", self.turn, _EVERY)

    async def turn(self) -> None:
        """Of a year, each at most once, however fast it changes; what cannot be is logged."""
        yesterday = self._bus.clock.now().date() - timedelta(days=1)
        monday = yesterday - timedelta(days=yesterday.weekday())
        try:
            for back in range(_WEEKS):
                first = monday - timedelta(weeks=back)
                await self._week(first, min(first + timedelta(days=6), yesterday))
        except StoreError as error:
            log.warning("days_not_worked_out", error=str(error))

    async def _week(self, first: date, last: date) -> None:
        for accounts in _ACCOUNTS:
            if await self._figures.work_out(accounts, first, last, at_most=7):
                await asyncio.sleep(_PAUSE)
