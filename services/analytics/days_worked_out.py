"""Days whose trades changed are added up before somebody asks, who then would wait for it."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import structlog

from libs.bus import Bus
from libs.contracts.account import AccountType
from libs.store import StoreError
from libs.store.trade_figures import TradeFigures
from services.analytics.turns import take_turns

_EVERY = 60.0
"""Seconds."""
_DAYS = 366
_PAUSE = 0.1
"""After each of them: a database that does one thing after the other has others to answer, too."""
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
        """All of a year's that have to be; what cannot be is logged."""
        last = self._bus.clock.now().date()
        first = last - timedelta(days=_DAYS)
        try:
            for accounts in _ACCOUNTS:
                while await self._one(accounts, first, last):
                    pass
        except StoreError as error:
            log.warning("days_not_worked_out", error=str(error))

    async def _one(self, accounts: Sequence[AccountType], first: date, last: date) -> bool:
        worked_out = await self._figures.work_out(accounts, first, last, at_most=1)
        await asyncio.sleep(_PAUSE)
        return worked_out > 0
