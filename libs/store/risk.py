"""How the day of real accounts goes, of all users or of some."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import msgspec

from libs.store.database import Database
from libs.store.rows import read_rows


class UserRisk(msgspec.Struct, frozen=True):
    user_id: str
    pnl: Decimal
    """What the trades of the day brought so far, and…"""
    peak: Decimal
    """…the most that they had brought, at least 0."""
    losses: int
    """Since the last win."""


class _Peak(msgspec.Struct, frozen=True):
    peak: Decimal


class Risk:
    """Every method raises StoreError. A trade belongs to the day (UTC) on which it was opened."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_day(self, day: date, users: Iterable[str] | None = None) -> list[UserRisk]:
        """Of those who closed a trade; of everybody by default."""
        of_users = None if users is None else list(users)
        answer = await self._database.call("risk_of_day", day=day.isoformat(), of_users=of_users)
        return read_rows(answer, UserRisk)

    async def peak(self, day: date, users: Iterable[str]) -> Decimal:
        """The most that all of these together had brought, at least 0."""
        answer = await self._database.call("peak_of_day", day=day.isoformat(), of_users=list(users))
        return read_rows(answer, _Peak)[0].peak
