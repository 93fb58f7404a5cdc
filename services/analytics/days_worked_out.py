"""Days whose trades changed are added up before somebody asks, who then would wait for it. Not today, which changes all
the time: that is added up when somebody asks."""

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
"""Seconds, also until the first time: a process that starts has the ledger to catch up with."""
_DAYS = 366
_STEP = 91
"""Whole weeks, from Monday to Sunday, are put in a row only within one of these."""
_AT_ONCE = 7
_PAUSE = 0.1
"""After so many: a database that does one thing after the other has others to answer, too."""
_ACCOUNTS = ((AccountType.REAL,), (AccountType.DEMO,), (AccountType.DEMO, AccountType.REAL))

log = structlog.get_logger()


class DaysWorkedOut:
    """Of all processes one does it."""

    def __init__(self, bus: Bus, figures: TradeFigures) -> None:
        self._bus = bus
        self._figures = figures

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(_EVERY)
        await take_turns(self._bus, "days", self.turn, _EVERY)

    async def turn(self) -> None:
        """All of a year's that have to be, the newest first; what cannot be is logged."""
        last = self._bus.clock.now().date() - timedelta(days=1)
        sunday = last + timedelta(days=6 - last.weekday())
        try:
            for back in range(0, _DAYS, _STEP):
                end = sunday - timedelta(days=back)
                for accounts in _ACCOUNTS:
                    await self._step(accounts, end - timedelta(days=_STEP - 1), min(end, last))
        except StoreError as error:
            log.warning("days_not_worked_out", error=str(error))

    async def _step(self, accounts: Sequence[AccountType], first: date, last: date) -> None:
        """What changes all the while is not followed: the next turn comes."""
        for _ in range(_STEP // _AT_ONCE):
            if await self._figures.work_out(accounts, first, last, _AT_ONCE) < _AT_ONCE:
                break
            await asyncio.sleep(_PAUSE)
