"""Who may do what through the public API: the owner of a row, another user, and somebody who is not logged in."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from libs.contracts.account import AccountType, SessionState, SessionStatus
from libs.contracts.ids import new_id
from libs.contracts.orders import Order
from libs.store import Database
from libs.store.bot_status import BotStatuses, UserState
from libs.store.trades import Trades
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_opening, an_order


async def test_trades_are_seen_by_their_owner_alone(
    supabase_server: SupabaseServer, database: Database, owner: Person, stranger: Person
) -> None:
    await record(database, order_of(owner))
    for table in ("trade_history", "trades_history"):
        path = f"/rest/v1/{table}?user_id=eq.{owner.user}"
        assert len((await supabase_server.as_person(owner, "GET", path))[1]) == 1
        assert (await supabase_server.as_person(stranger, "GET", path))[1] == []


async def test_a_user_may_delete_only_closed_demo_trades_of_their_own(
    supabase_server: SupabaseServer, database: Database, owner: Person, stranger: Person
) -> None:
    closed, of_money, open_ = order_of(owner), order_of(owner, account_type=AccountType.REAL), order_of(owner)
    await record(database, closed)
    await record(database, of_money)
    await record(database, open_, settled=False)
    path = f"/rest/v1/trade_history?user_id=eq.{owner.user}&data_abertura=gte.2020-01-01T00:00:00Z"
    assert (await supabase_server.as_person(stranger, "DELETE", path))[1] == []
    _, deleted = await supabase_server.as_person(owner, "DELETE", path)
    assert [row["order_id"] for row in deleted] == [closed.order_id]
    _, left = await supabase_server.as_person(owner, "GET", path)
    assert {row["order_id"] for row in left} == {of_money.order_id, open_.order_id}


async def test_the_status_is_seen_by_its_owner_alone(
    supabase_server: SupabaseServer, database: Database, owner: Person, stranger: Person
) -> None:
    session = SessionStatus(user=owner.user, at=datetime(2026, 11, 24, tzinfo=UTC), state=SessionState.CONNECTED)
    await BotStatuses(database).record([UserState(owner.user, session, None, ())])
    path = f"/rest/v1/bot_status?select=is_connected&user_id=eq.{owner.user}"
    assert await supabase_server.as_person(owner, "GET", path) == (200, [{"is_connected": True}])
    assert await supabase_server.as_person(stranger, "GET", path) == (200, [])


async def test_a_profile_is_seen_and_changed_by_its_owner_alone(
    supabase_server: SupabaseServer, owner: Person, stranger: Person
) -> None:
    path = f"/rest/v1/profiles?user_id=eq.{owner.user}"
    assert (await supabase_server.as_person(stranger, "GET", path))[1] == []
    assert (await supabase_server.as_person(stranger, "PATCH", path, {"full_name": "Mallory"}))[1] == []
    _, [changed] = await supabase_server.as_person(owner, "PATCH", path, {"full_name": "Ada"})
    assert changed["full_name"] == "Ada"


async def test_of_a_profile_only_what_is_the_users_to_say_can_be_changed(
    supabase_server: SupabaseServer, owner: Person
) -> None:
    path = f"/rest/v1/profiles?user_id=eq.{owner.user}"
    for column, value in (("id", new_id()), ("email", "somebody@else.test"), ("created_at", "2020-01-01T00:00:00Z")):
        status, answer = await supabase_server.as_person(owner, "PATCH", path, {column: value})
        assert (status, answer["code"]) == (403, "42501")


async def test_two_users_never_drive_one_account_at_the_broker(
    supabase_server: SupabaseServer, owner: Person, stranger: Person
) -> None:
    broker_user_id = str(number())
    path = "/rest/v1/profiles?user_id=eq."
    status, _ = await supabase_server.as_person(owner, "PATCH", path + owner.user, {"broker_user_id": broker_user_id})
    assert status == 200
    for claimed in (broker_user_id, f"0{broker_user_id}", f"{broker_user_id} ", "12 or 1=1"):
        status, answer = await supabase_server.as_person(
            stranger, "PATCH", path + stranger.user, {"broker_user_id": claimed}
        )
        assert status >= 400, answer


async def test_an_administrator_may_note_their_log_in_and_nothing_else(
    supabase_server: SupabaseServer, owner: Person
) -> None:
    await supabase_server.appoint(owner, "support")
    path = f"/rest/v1/admin_users?email=eq.{owner.email}"
    status, [row] = await supabase_server.as_person(owner, "PATCH", path, {"last_login_at": "2026-11-24T10:00:00Z"})
    assert (status, row["role"]) == (200, "support")
    status, answer = await supabase_server.as_person(owner, "PATCH", path, {"role": "super_admin"})
    assert (status, answer["code"]) == (403, "42501")


_ARGUMENTS: dict[str, dict[str, object]] = {
    "record_trades": {"rows": []},
    "record_bot_status": {"rows": []},
    "crm_stats": {},
    "crm_claim_outbox": {"at_most": 1, "lease": "1 s"},
    "crm_may_send": {
        "contact": "01890a5d-ac96-774b-bcce-b302099a8057",
        "channel": "email",
        "topic": "*",
        "class": "marketing",
    },
    "record_signals": {"signals": [], "closes": []},
    "overdue_signals": {"before": "2026-11-24T00:00:00Z"},
    "aggregate_scanner": {"at": "2026-11-24T00:00:00Z", "least_seconds": 1800, "candles": 60},
    "strategy_totals": {},
}


@pytest.mark.parametrize("function", _ARGUMENTS)
async def test_the_functions_of_services_are_not_for_users(
    supabase_server: SupabaseServer, owner: Person, function: str
) -> None:
    for person in (owner, None):
        status, answer = await supabase_server.as_person(
            person, "POST", f"/rest/v1/rpc/{function}", _ARGUMENTS[function]
        )
        assert (status >= 400, answer["code"]) == (True, "42501")


async def test_the_private_schema_cannot_be_reached(supabase_server: SupabaseServer) -> None:
    status, answer = await supabase_server.request(
        "GET", "/rest/v1/deleted_trades", None, {"apikey": supabase_server.secret_key, "Accept-Profile": "private"}
    )
    assert (status, answer["code"]) == (406, "PGRST106")


def order_of(person: Person, account_type: AccountType = AccountType.DEMO) -> Order:
    return an_order(order_id=new_id(), user=person.user, account_type=account_type, stake=Decimal(10))


async def record(database: Database, order: Order, settled: bool = True) -> None:
    position = a_position(position_id=number())
    opened = an_opening(order=order, position=position)
    closed = a_closing(order=order, position=position, settlement=a_settlement())
    await Trades(database).record([closed if settled else opened])
