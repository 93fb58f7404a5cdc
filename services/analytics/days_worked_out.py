"""Days whose trades changed are added up before somebody asks, who then would wait for it."""

from datetime import timedelta

import structlog

from libs.bus import Bus
from libs.contracts.account import AccountType
from libs.store import StoreError
from libs.store.trade_figures import TradeFigures
from services.analytics.turns import take_turns

_EVERY = 60.0
"""Seconds."""
_DAYS = 366
_AT_ONCE = 30
"""Days of one request: a few tenths of a second."""
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
                while await self._figures.work_out(accounts, first, last, _AT_ONCE) == _AT_ONCE:
                    pass
        except StoreError as error:
            log.warning("days_not_worked_out", error=str(error))
