"""How the platform is doing, in one row each: people and their money, and the scanner's signals."""

from datetime import datetime
from decimal import Decimal

import msgspec

from libs.store.database import Database
from libs.store.rows import read_rows


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """Definitions: migration `users`, function `private.dashboard`."""

    total_users: int
    total_users_real: int
    total_users_demo_only: int
    active_users_today_real: int
    new_users_week_real: int
    churn_rate_percentage: float
    deposits_today_real: Decimal
    withdrawals_today_real: Decimal
    net_revenue_today_real: Decimal
    avg_deposit_size: Decimal
    trades_today_real: int
    volume_today_real: Decimal
    platform_win_rate_real: float
    avg_engagement_score: float
    avg_session_duration_minutes: float
    dau_real: int
    mau_real: int
    demo_users: int
    conversion_rate_percent: float
    avg_days_to_convert: float


class Now(msgspec.Struct, frozen=True, kw_only=True):
    total_users: int
    recent_trades: int
    """Decided ones among the newest hundred of all accounts…"""
    recent_wins: int
    """…and won ones."""
    trades_today: int
    """As those after it of real accounts, by the UTC day of their opening."""
    wins_today: int
    losses_today: int
    ties_today: int
    pnl_today: Decimal


class SignalCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Of the scanner's decided signals."""

    wins: int
    losses: int
    ties: int
    timeouts: int


class PlatformFigures:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def dashboard(self) -> Dashboard:
        return read_rows(await self._database.call("dashboard"), Dashboard)[0]

    async def now(self) -> Now:
        return read_rows(await self._database.call("realtime"), Now)[0]

    async def errors_of_day(self) -> int:
        """Log entries of errors, which critical alerts are among, of the last 24 hours."""
        return msgspec.convert(await self._database.call("errors_of_day"), int, strict=False)

    async def signals(self, since: datetime | None) -> SignalCounts:
        """Of the hours that began after that, or of all."""
        data = await self._database.call("signal_counts", since=since.isoformat() if since is not None else None)
        return read_rows(data, SignalCounts)[0]
