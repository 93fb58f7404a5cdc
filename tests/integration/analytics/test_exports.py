"""Rows of every kind as lines of a file, and a record of who took them."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from libs.bus import Bus
from libs.contracts import admin_rpc as rpc
from libs.contracts.account import AccountType
from libs.contracts.exports import AnalyticsExport, ExportKind, ExportPage, TradesExport
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store import Database
from libs.store.trades import Trades
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_order


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


@pytest.fixture
async def trades(supabase_server: SupabaseServer) -> AsyncIterator[Trades]:
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        yield Trades(database)


@pytest.fixture
def day() -> date:
    """On which nobody else trades."""
    return date(2090, 1, 1) + timedelta(days=number() % 20_000)


async def trade(trades: Trades, person: Person, at: datetime, profit: str, **changes: Any) -> None:
    """Of 10.00 on a real account."""
    order = an_order(order_id=new_id(), user=person.user, **{"account_type": AccountType.REAL, **changes})
    position = a_position(position_id=number(), opened_at=at)
    settlement = a_settlement(profit=Decimal(profit), closed_at=at + timedelta(seconds=60))
    await trades.record([a_closing(order=order, position=position, settlement=settlement)])


async def rows(bus: Bus, request: ExportPage) -> list[dict[str, str]]:
    """Of all pages."""
    text = ""
    while True:
        page = await bus.call(rpc.EXPORT_PAGE, request)
        text += page.text
        if not page.next:
            return list(csv.DictReader(io.StringIO(text, newline="")))
        request = ExportPage(
            by=request.by, analytics=request.analytics, trades=request.trades, after=page.next, limit=request.limit
        )


def on(day: date, type: ExportKind) -> AnalyticsExport:
    return AnalyticsExport(date_from=day.isoformat(), date_to=day.isoformat(), type=type)


async def test_every_kind_of_row(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    nine = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    await trade(trades, person, nine, "8.20", ticker="=EVIL()", strategy="mhi")
    await trade(trades, person, nine, "-10", ticker="=EVIL()", strategy="mhi")
    told = {
        kind: await rows(bus, ExportPage(by=person.user, analytics=on(day, kind))) for kind in ExportKind
    }  # fmt: skip
    assert told[ExportKind.DAILY] == [
        {
            "date": day.isoformat(), "total_trades": "2", "wins": "1", "losses": "1", "ties": "0", "win_rate": "50.0",
            "volume": "20", "pnl": "-1.80", "active_users": "1",
        }
    ]  # fmt: skip
    assert [(row["strategy_id"], row["pnl"]) for row in told[ExportKind.STRATEGY]] == [("mhi", "-1.80")]
    assert [(row["asset"], row["total_trades"]) for row in told[ExportKind.ASSET]] == [("'=EVIL()", "2")]
    assert [row["total_trades"] for row in told[ExportKind.HOURLY]] == ["0"] * 9 + ["2"] + ["0"] * 14
    assert [(row["user_id"], row["email"], row["lifetime_pnl"]) for row in told[ExportKind.USERS]] == [
        (person.user, person.email, "-1.80")
    ]
    assert [(row["user_email"], row["ativo"], row["resultado"]) for row in told[ExportKind.TRADES]] == [
        (person.email, "'=EVIL()", "WIN"), (person.email, "'=EVIL()", "LOSS"),
    ]  # fmt: skip
    assert told[ExportKind.TRADES][0]["data_abertura"] == f"{day}T09:00:00Z"
    recorded = await supabase_server.as_service("GET", f"/rest/v1/user_activity_log?actor_id=eq.{person.user}")
    assert [row["action"] for row in recorded] == ["analytics.exported"] * len(ExportKind)
    assert recorded[0]["details"]["type"] == "daily"


async def test_pages_have_every_row_once(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    others = [await supabase_server.sign_up() for _ in range(2)]
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for at in range(7):
        await trade(trades, [person, *others][at % 3], midnight + timedelta(hours=at // 2), "8.20")
    users = await rows(bus, ExportPage(by=person.user, analytics=on(day, ExportKind.USERS), limit=1))
    assert sorted(row["user_id"] for row in users) == sorted(one.user for one in (person, *others))
    of_day = ExportPage(by=person.user, analytics=on(day, ExportKind.TRADES), limit=2)
    found = await rows(bus, of_day)
    assert len({row["trade_id"] for row in found}) == len(found) == 7
    assert [row["data_abertura"] for row in found] == sorted(row["data_abertura"] for row in found)
    own = TradesExport(user_id=UUID(person.user), sort_by="pnl")
    assert len(await rows(bus, ExportPage(by=person.user, trades=own, limit=2))) == 3
    recorded = await supabase_server.as_service("GET", f"/rest/v1/user_activity_log?actor_id=eq.{person.user}")
    assert [row["action"] for row in recorded] == ["analytics.exported"] * 2 + ["trades.exported"]


async def test_what_cannot_be_exported_is_said(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    for request in (
        ExportPage(by=person.user, analytics=AnalyticsExport(date_from="2020-01-01")),
        ExportPage(by=person.user, analytics=AnalyticsExport(type=ExportKind.USERS), after="nobody"),
        ExportPage(by=person.user, trades=TradesExport(), after="nonsense"),
    ):
        with pytest.raises(RpcError) as refused:
            await bus.call(rpc.EXPORT_PAGE, request)
        assert refused.value.code is ErrorCode.INVALID_REQUEST
