"""How well trades went, in the field's figures. Money is in major units, rates are in percent, days and hours of UTC; a
figure that is not defined is null. Definitions and their sources: services/analytics/figures."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.contracts.admin import Period
from libs.contracts.codec import Message


class FiguresQuery(Period, frozen=True, kw_only=True, rename="camel"):
    user_id: UUID | None = None
    """Whose; everybody's without."""


class WinRate(Message, frozen=True, kw_only=True):
    """Of wins and losses: a tie gives the stake back."""

    value: float | None
    lower: float | None
    """Of Wilson's interval, 95 %…"""
    upper: float | None
    """…and its other end."""
    break_even: float | None
    """At which these trades would have won nothing; their payouts count by stake."""
    edge: float | None
    """Percentage points above that."""


class Drawdown(Message, frozen=True, kw_only=True):
    """The deepest fall of the sum of what was won, at ends of days."""

    amount: Decimal
    peak: date
    trough: date
    recovered: date | None
    length_days: int
    """From the peak until it was reached again, or until the last day."""


class RunsTest(Message, frozen=True, kw_only=True):
    """Wald and Wolfowitz: whether results depend on the ones before."""

    runs: int
    expected: float
    z: float
    """Below 0 wins and losses come in clusters, above they alternate…"""
    p_value: float
    """…and so likely is that much by chance; 0..1."""


class Streaks(Message, frozen=True, kw_only=True):
    longest_win: int
    """In a row, of one user on one account; ties neither add nor end…"""
    longest_loss: int
    longest_loss_chance: float | None
    """…and how likely anybody has one as long, if every trade is lost as often whatever came before; 0..1."""
    runs_test: RunsTest | None


class Exposure(Message, frozen=True, kw_only=True):
    """Of what was open in the period, whenever it was opened."""

    time_at_risk: float
    """Percent of the period, as far as it is past, in which anything was open."""
    mean_at_risk: Decimal
    """Money that was open at a time, on the average of that period…"""
    most_at_risk: Decimal
    """…and at most."""
    most_open: int
    """Trades."""


class Acknowledgement(Message, frozen=True, kw_only=True):
    """From the decision until it was known that the broker had booked it."""

    trades: int
    """Of which that is known."""
    # Of everybody within 1 %, here and of slippage: counted in buckets, not sorted.
    p50_ms: float | None
    p99_ms: float | None


class Slippage(Message, frozen=True, kw_only=True):
    """The fill against the price that was decided on, in basis points; above 0 where it was worse."""

    trades: int
    mean: float | None
    p50: float | None
    p99: float | None


class HeatCell(Message, frozen=True, kw_only=True):
    """Decided trades of an hour; there is none for hours without trades."""

    hour: int
    """0..23."""
    trades: int
    wins: int
    losses: int
    win_rate: float | None
    """Of wins and losses."""
    pnl: Decimal


class WeekdayCell(HeatCell, frozen=True, kw_only=True):
    weekday: int
    """From 1, which is Monday."""


class AssetCell(HeatCell, frozen=True, kw_only=True):
    asset: str


class Cohort(Message, frozen=True, kw_only=True):
    """People whose first trade on a demo account was in a week, and who had none on a real one before."""

    week: date
    """Its Monday."""
    people: int
    converted: int
    """Of these, traded on a real account later."""
    conversion_rate: float
    median_days: float | None
    """Until then."""


class EquityPoint(Message, frozen=True, kw_only=True):
    date: date
    pnl: Decimal
    """Of that day…"""
    equity: Decimal
    """…up to its end, from the first day of the period on…"""
    drawdown: Decimal
    """…and how far below its peak; 0 or less."""


class Figures(Message, frozen=True, kw_only=True):
    first: date
    last: date
    trades: int
    """Decided ones, as all that follows but exposure, acknowledgement and slippage."""
    wins: int
    losses: int
    ties: int
    staked: Decimal
    pnl: Decimal
    win_rate: WinRate
    expectancy: Decimal | None
    """Won by a trade on the average."""
    return_on_stakes: float | None
    profit_factor: float | None
    """Gross profit by gross loss; null without a loss."""
    sharpe_ratio: float | None
    """Of daily returns on stakes from the first day with trades on, a year of 365 days…"""
    sortino_ratio: float | None
    max_drawdown: Drawdown | None
    streaks: Streaks
    exposure: Exposure
    acknowledgement: Acknowledgement
    slippage: Slippage
    by_weekday: tuple[WeekdayCell, ...]
    by_asset: tuple[AssetCell, ...]
    """Of the assets that were traded most."""
    cohorts: tuple[Cohort, ...]
    """By week of the period; empty of a single user."""
    equity: tuple[EquityPoint, ...]
    """A point a day."""
