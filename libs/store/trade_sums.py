"""Trades added up: tables `private.trade_days` and `private.trade_totals`, which the database keeps itself."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from libs.contracts.account import AccountType
from libs.store.database import Database
from libs.store.rows import read_rows


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    trades: int = 0
    """Open ones, too; wins, losses and ties are those that are decided."""
    wins: int = 0
    losses: int = 0
    ties: int = 0
    volume: Decimal = Decimal(0)
    """Stakes of all of them."""
    pnl: Decimal = Decimal(0)

    @property
    def decided(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def win_rate(self) -> float:
        """Percent of those that are decided, two decimals; 0 of none."""
        return round(100 * self.wins / self.decided, 2) if self.decided else 0.0

    @property
    def mean_pnl(self) -> Decimal:
        """Of those that are decided, two decimals; 0 of none."""
        return round(self.pnl / self.decided, 2) if self.decided else Decimal(0)


class DaySums(Sums, frozen=True, kw_only=True):
    day: date
    """Of UTC, in which they were opened."""
    won: Decimal = Decimal(0)
    """Profit of the winning ones."""
    active_users: int = 0
    """Users with any of them."""


class KeySums(Sums, frozen=True, kw_only=True):
    key: str
    """Ticker, strategy, or hour of UTC from 00 to 23."""


class UserSums(Sums, frozen=True, kw_only=True):
    user_id: UUID
    email: str
    full_name: str


class TradeSums:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_day(self, accounts: Collection[AccountType], first: date, last: date) -> list[DaySums]:
        """Ascending; days without trades are left out."""
        data = await self._database.call("trades_by_day", **_period(accounts, first, last))
        return read_rows(data, DaySums)

    async def by(
        self, what: Literal["asset", "strategy", "hour"], accounts: Collection[AccountType], first: date, last: date
    ) -> list[KeySums]:
        """In the order of the keys; those without trades are left out."""
        data = await self._database.call("trades_by", what=what, **_period(accounts, first, last))
        return read_rows(data, KeySums)

    async def by_asset(self, accounts: Collection[AccountType]) -> list[KeySums]:
        """Of all time."""
        return read_rows(await self._database.call("trades_by_asset", accounts=list(accounts)), KeySums)

    async def top_users(self, accounts: Collection[AccountType], by_volume: bool, limit: int) -> list[UserSums]:
        """Of all time: who staked most, or won most; users without trades are left out."""
        arguments = {"accounts": list(accounts), "by_volume": by_volume, "at_most": limit}
        return read_rows(await self._database.call("top_users", **arguments), UserSums)

    async def users(
        self, accounts: Collection[AccountType], first: date, last: date, after: UUID | None, limit: int
    ) -> list[UserSums]:
        """Who traded in these days, in the order of their ids, behind one of them."""
        behind = str(after) if after is not None else None
        data = await self._database.call(
            "traded_users", **_period(accounts, first, last), after_user=behind, at_most=limit
        )
        return read_rows(data, UserSums)


def _period(accounts: Collection[AccountType], first: date, last: date) -> dict[str, object]:
    return {"accounts": list(accounts), "first_day": first.isoformat(), "last_day": last.isoformat()}
