"""Users as administrators look for them: view `private.people`."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from libs.contracts.account import AccountType
from libs.store.cursors import BadCursor, amount_in, read_cursor, time_in, write_cursor
from libs.store.database import Database
from libs.store.rows import read_rows
from libs.store.trade_sums import Sums

SortBy = Literal["email", "created_at", "total_pnl", "total_trades", "win_rate"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is None does not matter."""

    accounts: Literal["real", "demo", "both"] = "both"
    search: str | None = None
    """Part of an e-mail address, a phone number or a name."""
    active: bool | None = None


class UserOrder(msgspec.Struct, frozen=True, kw_only=True):
    by: SortBy = "created_at"
    ascending: bool = False


class FoundUser(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    email: str
    phone: str | None
    created_at: datetime
    last_sign_in_at: datetime | None
    account_type: Literal["real", "demo", "both"]
    total_trades: int
    """As the two after it of real accounts."""
    total_pnl: Decimal
    win_rate: float
    is_active: bool
    is_suspended: bool
    bot_running: bool
    sort_value: str
    total: int
    """Of users who match, on all pages."""


class UserPosition(msgspec.Struct, frozen=True, array_like=True):
    """Behind which user a page begins, in the list's order."""

    value: str
    id: UUID


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    email: str
    phone: str | None
    created_at: datetime
    last_sign_in_at: datetime | None
    account_type: Literal["real", "demo", "both"]
    is_active: bool
    is_suspended: bool
    total_trades_real: int
    total_pnl_real: Decimal
    win_rate_real: float
    total_volume_real: Decimal
    total_trades_demo: int
    total_pnl_demo: Decimal
    win_rate_demo: float
    total_volume_demo: Decimal
    first_trade_demo: datetime | None
    first_trade_real: datetime | None
    days_to_convert: float | None
    last_trade_at: datetime | None
    session_count: int
    last_session_at: datetime | None


class Figures(Sums, frozen=True, kw_only=True):
    """Of decided trades; money in major units."""

    best: Decimal
    worst: Decimal
    drawdown: Decimal
    streak: int
    """Wins in a row, or losses as a negative number."""


class SliceSums(Sums, frozen=True, kw_only=True):
    of: Literal["asset", "strategy"]
    key: str


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    day: date
    new_users: int = 0
    new_users_real: int = 0


class Users:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, wanted: Wanted, order: UserOrder, limit: int, offset: int = 0, after: UserPosition | None = None
    ) -> list[FoundUser]:
        data = await self._database.call(
            "find_users",
            accounts=wanted.accounts,
            search=wanted.search,
            active=wanted.active,
            sort_by=order.by,
            ascending=order.ascending,
            at_most=limit,
            skipped=offset,
            after_value=after.value if after is not None else None,
            after_id=str(after.id) if after is not None else None,
        )
        return read_rows(data, FoundUser)

    async def count(self, wanted: Wanted) -> int:
        data = await self._database.call(
            "count_users", accounts=wanted.accounts, search=wanted.search, active=wanted.active
        )
        return msgspec.convert(data, int, strict=False)

    async def user(self, user: UUID) -> UserRecord | None:
        data = await self._database.call("user_details", of_user=str(user))
        return next(iter(read_rows(data, UserRecord)), None)

    async def figures(self, user: UUID, accounts: tuple[AccountType, ...]) -> Figures:
        data = await self._database.call("user_figures", of_user=str(user), accounts=list(accounts))
        return read_rows(data, Figures)[0]

    async def slices(self, user: UUID, accounts: tuple[AccountType, ...]) -> list[SliceSums]:
        """The most used first."""
        data = await self._database.call("user_slices", of_user=str(user), accounts=list(accounts))
        return read_rows(data, SliceSums)

    async def growth(self, first: date, last: date) -> list[Growth]:
        """Days without a new user are left out."""
        data = await self._database.call("user_growth", first_day=first.isoformat(), last_day=last.isoformat())
        return read_rows(data, Growth)


def cursor_of(user: FoundUser) -> str:
    return write_cursor(UserPosition(user.sort_value, user.user_id))


def position_of(cursor: str, order: UserOrder) -> UserPosition:
    """Raises BadCursor."""
    position = read_cursor(cursor, UserPosition)
    return UserPosition(_checked(position.value, order.by), position.id)


def _checked(value: str, by: SortBy) -> str:
    match by:
        case "created_at":
            return time_in(value)
        case "email":
            if "\0" in value:
                raise BadCursor(value)
            return value
        case "total_trades":
            if "." in value or len(value) > 18:
                raise BadCursor(value)
            return amount_in(value)
        case _:
            return amount_in(value)
