"""What figures of trades are made of; adding up is the database's work."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

import msgspec

from libs.contracts.account import AccountType
from libs.store.database import Database
from libs.store.errors import StoreError
from libs.store.rows import read_rows


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Money in major units; what there is none of is None."""

    wins: int
    losses: int
    ties: int
    won: Decimal
    """Profits of the winning ones."""
    lost: Decimal
    """What the losing ones lost, above 0."""
    staked: Decimal
    """Of decided ones."""
    promised: Decimal
    """Profits of decided ones had all been won."""
    win_rate_lower: float | None
    """Percent: Wilson's interval of the wins among wins and losses, 95 %…"""
    win_rate_upper: float | None
    acknowledged: int
    """Trades of which it is known how long the broker's answer took…"""
    acknowledged_p50: float | None
    """…in milliseconds since the decision…"""
    acknowledged_p99: float | None
    filled: int
    """…and how far the fill was from the price that was decided on…"""
    slippage_mean: float | None
    """…in basis points, above 0 where it was worse."""
    slippage_p50: float | None
    slippage_p99: float | None


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Of what was open in the period, whenever it was opened."""

    seconds_at_risk: float
    """In which anything was open."""
    stake_seconds: float
    """Stakes by the seconds that they were open, in sum."""
    most_at_risk: Decimal
    """Money that was open at once."""
    most_open: int


class Streaks(msgspec.Struct, frozen=True, kw_only=True):
    """Of one user's trades on one account, ties left out."""

    wins: int
    losses: int
    runs: int
    longest_win: int
    longest_loss: int


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """Decided trades of an hour of UTC."""

    weekday: int
    """From 1, which is Monday; 0 where they are those of an asset…"""
    asset: str
    """…and empty where they are those of a weekday."""
    hour: int
    trades: int
    wins: int
    losses: int
    pnl: Decimal


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """People whose first trade on a demo account was in a week, and who had none on a real one before."""

    week: date
    """Its Monday."""
    people: int
    converted: int
    """Of these, traded on a real account later."""
    median_days: float | None
    """Until then."""


class Return(msgspec.Struct, frozen=True, kw_only=True):
    day: date
    pnl: Decimal
    staked: Decimal


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Trades that were opened from a day of UTC to another one."""

    accounts: tuple[AccountType, ...]
    user: UUID | None
    """None is everybody."""
    first: date
    last: date


class TradeFigures:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def work_out(self, accounts: Sequence[AccountType], first: date, last: date, at_most: int) -> int:
        """Add up days, and put results of weeks in a row, whose trades changed since that was done, the newest first;
        how many days or weeks they were. Questions about everybody do so by themselves, and wait for it."""
        days = {"first_day": first.isoformat(), "last_day": last.isoformat(), "at_most": at_most}
        return int(str(await self._database.call("work_out_days", accounts=list(accounts), **days)))

    async def totals(self, selection: Selection) -> Totals:
        """Of everybody, percentiles are within 1 %."""
        return read_rows(await self._database.call("trade_figures", **_arguments(selection)), Totals)[0]

    async def exposure(self, selection: Selection) -> Exposure:
        return read_rows(await self._database.call("trade_exposure", **_arguments(selection)), Exposure)[0]

    async def streaks(self, selection: Selection) -> list[Streaks]:
        """Of everybody who has any."""
        found = await self._database.call("trade_streaks", **_arguments(selection))
        try:
            return msgspec.convert(found, list[Streaks])
        except msgspec.ValidationError as error:
            raise StoreError(f"trade_streaks: {error}") from error

    async def heat(self, selection: Selection, assets: int) -> list[Heat]:
        """By weekday and, of so many assets, the most traded, by asset; ascending, without hours that have none."""
        return read_rows(await self._database.call("trade_heat", **_arguments(selection), most_assets=assets), Heat)

    async def returns(self, selection: Selection) -> list[Return]:
        """Ascending; days without trades are left out."""
        return read_rows(await self._database.call("trade_returns", **_arguments(selection)), Return)

    async def weeks(self, first: date, last: date) -> list[Week]:
        """Ascending; of first demo trades of these days."""
        days = {"first_day": first.isoformat(), "last_day": last.isoformat()}
        return read_rows(await self._database.call("demo_to_real", **days), Week)


def _arguments(selection: Selection) -> dict[str, object]:
    return {
        "accounts": list(selection.accounts),
        "of_user": None if selection.user is None else str(selection.user),
        "first_day": selection.first.isoformat(),
        "last_day": selection.last.isoformat(),
    }
