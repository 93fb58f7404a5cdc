"""Figures as administrators are answered: a ledger checked by hand."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from libs.bus import Bus
from libs.contracts import admin_rpc as rpc
from libs.contracts.account import AccountType
from libs.contracts.admin import Accounts
from libs.contracts.figures import Drawdown, FiguresQuery
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store import Database
from libs.store.trade_figures import TradeFigures
from libs.store.trades import Trades
from services.analytics.days_worked_out import DaysWorkedOut
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_opening, an_order


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


@pytest.fixture
async def database(supabase_server: SupabaseServer) -> AsyncIterator[Database]:
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        yield database


@pytest.fixture
def trades(database: Database) -> Trades:
    return Trades(database)


@pytest.fixture
def monday() -> date:
    """Of a week in which nobody else trades."""
    return date(2029, 1, 1) + timedelta(weeks=number() % 1_000)


async def trade(trades: Trades, person: Person, day: date, hour: int, profit: str, **changes: Any) -> None:
    """Of 10.00 at 82 %, for a minute; decided 100 ms before it was acknowledged, at 1 and filled at 1.0002."""
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    changes = {"account_type": AccountType.REAL, "at": at, "quote": 1.0, **changes}
    order = an_order(order_id=new_id(), user=person.user, **changes)
    expiry = at + timedelta(seconds=60)
    position = a_position(position_id=number(), opened_at=at, expiry=expiry, open_quote=1.0002)
    settlement = a_settlement(profit=Decimal(profit), closed_at=expiry)
    opening = an_opening(order=order, position=position, at=at + timedelta(milliseconds=100))
    await trades.record([opening, a_closing(order=order, position=position, settlement=settlement)])


def week(monday: date, **changes: Any) -> FiguresQuery:
    last = monday + timedelta(days=6)
    return FiguresQuery(date_from=monday.isoformat(), date_to=last.isoformat(), **changes)


async def test_a_week_by_hand(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    monday: date,
) -> None:
    """Two won on Monday; on Tuesday one lost and one tied, one lost more; nothing on Wednesday; one won on Thursday."""
    await start_analytics(supabase_server)
    tuesday, thursday = monday + timedelta(days=1), monday + timedelta(days=3)
    for day, hour, profit in (
        (monday, 9, "8.20"), (monday, 9, "8.20"), (tuesday, 10, "-10"), (tuesday, 10, "0"), (tuesday, 11, "-10"),
        (thursday, 9, "8.20"),
    ):  # fmt: skip
        await trade(trades, person, day, hour, profit, ticker=f"A{monday}")
    told = await bus.call(rpc.FIGURES, week(monday, user_id=UUID(person.user)))

    assert (told.trades, told.wins, told.losses, told.ties) == (6, 3, 2, 1)
    assert (told.staked, told.pnl) == (Decimal(60), Decimal("4.60"))
    assert (told.win_rate.value, told.win_rate.lower, told.win_rate.upper) == (60.0, 23.07, 88.24)
    assert (told.win_rate.break_even, told.win_rate.edge) == (54.95, 5.05)
    assert (told.expectancy, told.return_on_stakes, told.profit_factor) == (Decimal("0.7667"), 7.67, 1.23)
    assert told.sharpe_ratio == pytest.approx(5.06, abs=0.01), "of 0.82, -0.667, 0, 0.82, 0, 0, 0"
    assert told.sortino_ratio == pytest.approx(10.54, abs=0.01)
    assert told.max_drawdown == Drawdown(amount=Decimal(20), peak=monday, trough=tuesday, recovered=None, length_days=6)
    streaks = told.streaks
    assert (streaks.longest_win, streaks.longest_loss) == (2, 2)
    assert streaks.runs_test is not None
    assert (streaks.runs_test.runs, streaks.runs_test.expected) == (3, 3.4)
    assert streaks.longest_loss_chance == pytest.approx(0.43264)
    exposure = told.exposure
    assert (exposure.most_at_risk, exposure.most_open) == (Decimal(20), 2)
    assert (told.acknowledgement.trades, told.acknowledgement.p50_ms, told.acknowledgement.p99_ms) == (6, 100, 100)
    assert (told.slippage.trades, told.slippage.mean) == (6, 2.0)
    assert [(one.weekday, one.hour, one.trades, one.win_rate) for one in told.by_weekday] == [
        (1, 9, 2, 100.0), (2, 10, 2, 0.0), (2, 11, 1, 0.0), (4, 9, 1, 100.0),
    ]  # fmt: skip
    assert [(one.asset, one.hour, one.pnl) for one in told.by_asset] == [
        (f"A{monday}", 9, Decimal("24.60")), (f"A{monday}", 10, Decimal(-10)), (f"A{monday}", 11, Decimal(-10)),
    ]  # fmt: skip
    assert [one.equity for one in told.equity] == [
        Decimal(each) for each in ("16.40", "-3.60", "-3.60", "4.60", "4.60", "4.60", "4.60")
    ]
    assert told.cohorts == ()


async def test_everybody_and_the_accounts_that_are_asked_for(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    monday: date,
) -> None:
    await start_analytics(supabase_server)
    await trade(trades, person, monday, 1, "-10", account_type=AccountType.DEMO)
    await trade(trades, person, monday, 2, "8.20")
    assert (await bus.call(rpc.FIGURES, week(monday))).wins == 1
    both = await bus.call(rpc.FIGURES, week(monday, account_type=Accounts.BOTH))
    assert (both.wins, both.losses, len(both.by_weekday)) == (1, 1, 2)
    [cohort] = both.cohorts
    assert (cohort.week, cohort.people, cohort.converted, cohort.conversion_rate) == (monday, 1, 1, 100.0)
    assert cohort.median_days == pytest.approx(1 / 24, abs=0.01)


async def test_figures_of_nothing_are_null_and_of_nobody_an_error(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person, monday: date
) -> None:
    await start_analytics(supabase_server)
    told = await bus.call(rpc.FIGURES, week(monday, user_id=UUID(person.user)))
    undefined = (
        told.win_rate.value, told.win_rate.lower, told.win_rate.break_even, told.win_rate.edge, told.expectancy,
        told.return_on_stakes, told.profit_factor, told.sharpe_ratio, told.sortino_ratio, told.max_drawdown,
        told.streaks.longest_loss_chance, told.streaks.runs_test, told.acknowledgement.p50_ms, told.slippage.mean,
    )  # fmt: skip
    assert undefined == (None,) * len(undefined)
    assert (told.trades, told.exposure.time_at_risk, len(told.equity)) == (0, 0.0, 7)
    with pytest.raises(RpcError, match="User not found") as refused:
        await bus.call(rpc.FIGURES, week(monday, user_id=UUID(new_id())))
    assert refused.value.code is ErrorCode.NOT_FOUND


async def test_days_are_worked_out_before_somebody_asks(
    bus: Bus, database: Database, trades: Trades, person: Person
) -> None:
    """Of this year until yesterday; whoever asks finds nothing to do."""
    yesterday = bus.clock.now().date() - timedelta(days=1)
    for back in (1, 200):
        day = bus.clock.now().date() - timedelta(days=back)
        await trade(trades, person, day, 0, "8.20")
        await trade(trades, person, day, 0, "8.20", account_type=AccountType.DEMO)
    figures = TradeFigures(database)
    await DaysWorkedOut(bus, figures).turn()
    for accounts in ((AccountType.REAL,), (AccountType.DEMO,), (AccountType.REAL, AccountType.DEMO)):
        assert await figures.work_out(accounts, day, yesterday, 1) == 0
