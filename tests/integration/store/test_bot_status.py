"""`bot_status`: one row per user, in two groups of columns that know how old they are."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.ids import new_id
from libs.store import Database
from libs.store.bot_status import BATCH, BotStatuses, UserState
from libs.store.rows import read_rows
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW

LATER = NOW + timedelta(seconds=10)


@pytest.fixture
def statuses(database: Database) -> BotStatuses:
    return BotStatuses(database)


def a_session(user: str, **changes: Any) -> SessionStatus:
    return msgspec.structs.replace(SessionStatus(user=user, at=NOW, state=SessionState.CONNECTED), **changes)


def balances_of(user: str, **changes: Any) -> Balances:
    balances = Balances(
        user=user,
        at=NOW,
        balances=(
            Balance(id=1, type=AccountType.REAL, amount=Decimal("12.50"), currency="USD"),
            Balance(id=2, type=AccountType.DEMO, amount=Decimal("9990.05"), currency="USD"),
        ),
    )
    return msgspec.structs.replace(balances, **changes)


def a_bot(user: str, **changes: Any) -> BotStatus:
    status = BotStatus(
        id=new_id(), user=user, at=NOW, run="run-1", number=3, state=BotState.RUNNING, activity=Activity.ANALYZING,
        label="Analyzing markets...", config=BotConfig(), started_at=NOW,
    )  # fmt: skip
    return msgspec.structs.replace(status, **changes)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Of `bot_status`, without what every row of it has."""

    is_connected: bool
    broker_balance: Decimal
    connection_type: str | None
    ssid: str | None
    account_at: datetime | None
    account_type: str
    bot_running: bool
    bot_pid: int | None
    session_active: bool
    status: str | None
    last_heartbeat: datetime | None
    bot_at: datetime | None


async def row_of(server: SupabaseServer, user: str) -> Row:
    [row] = read_rows(await server.as_service("GET", f"/rest/v1/bot_status?user_id=eq.{user}"), Row)
    return row


async def test_a_connected_user_with_a_running_bot(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    state = UserState(owner.user, a_session(owner.user), balances_of(owner.user, at=LATER), (a_bot(owner.user),))
    await statuses.record([state])
    row = await row_of(supabase_server, owner.user)
    assert row == Row(
        is_connected=True,
        broker_balance=Decimal("9990.05"),
        connection_type="websocket",
        ssid=row.ssid,
        account_at=LATER,
        account_type="demo",
        bot_running=True,
        bot_pid=3,
        session_active=True,
        status="Analyzing markets...",
        last_heartbeat=NOW,
        bot_at=NOW,
    )
    assert row.ssid
    assert owner.user not in row.ssid


async def test_a_user_who_disconnected_has_no_handle(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    await statuses.record([UserState(owner.user, a_session(owner.user), balances_of(owner.user), ())])
    gone = a_session(owner.user, at=LATER, state=SessionState.DISCONNECTED)
    await statuses.record([UserState(owner.user, gone, balances_of(owner.user), ())])
    row = await row_of(supabase_server, owner.user)
    assert (row.is_connected, row.connection_type, row.ssid) == (False, None, None)
    assert row.broker_balance == Decimal("9990.05"), "what was last known of the balance stays"


async def test_the_balance_is_of_the_bots_account(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    bot = a_bot(owner.user, config=BotConfig(account_type=AccountType.REAL))
    await statuses.record([UserState(owner.user, a_session(owner.user), balances_of(owner.user), (bot,))])
    row = await row_of(supabase_server, owner.user)
    assert (row.account_type, row.broker_balance) == ("real", Decimal("12.5"))


async def test_of_two_bots_the_one_that_runs_is_shown(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    real = a_bot(owner.user, label="Analyzing for real", config=BotConfig(account_type=AccountType.REAL))
    demo = a_bot(owner.user, at=LATER, started_at=LATER)
    session, balances = a_session(owner.user), balances_of(owner.user)
    await statuses.record([UserState(owner.user, session, balances, (demo, real))])
    assert (await row_of(supabase_server, owner.user)).account_type == "demo", "it was started later"
    stopped = a_bot(owner.user, at=LATER, started_at=LATER, state=BotState.STOPPED, activity=Activity.STOPPED)
    await statuses.record([UserState(owner.user, session, balances, (stopped, real))])
    row = await row_of(supabase_server, owner.user)
    assert (row.account_type, row.status, row.bot_running) == ("real", "Analyzing for real", True)
    assert row.broker_balance == Decimal("12.5")


async def test_a_stopped_bot_has_no_process(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    await statuses.record([UserState(owner.user, None, None, (a_bot(owner.user),))])
    stopped = a_bot(owner.user, at=LATER, state=BotState.STOPPED, activity=Activity.STOPPED, label="Stopped")
    await statuses.record([UserState(owner.user, None, None, (stopped,))])
    row = await row_of(supabase_server, owner.user)
    assert (row.bot_running, row.bot_pid, row.session_active) == (False, None, False)


async def test_old_news_of_one_group_does_not_hold_back_the_other(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    user = owner.user
    await statuses.record([UserState(user, a_session(user, at=LATER), None, (a_bot(user),))])
    old_account = a_session(user, state=SessionState.FAILED)
    new_bot = a_bot(user, at=LATER, label="Trade won")
    await statuses.record([UserState(user, old_account, None, (new_bot,))])
    row = await row_of(supabase_server, user)
    assert (row.is_connected, row.status) == (True, "Trade won")
    await statuses.record([UserState(user, a_session(user, at=LATER, state=SessionState.FAILED), None, (a_bot(user),))])
    row = await row_of(supabase_server, user)
    assert (row.is_connected, row.status) == (False, "Trade won"), "news of the same time is applied"


async def test_what_nothing_is_known_of_is_left_as_it_is(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    await statuses.record([UserState(owner.user, a_session(owner.user), balances_of(owner.user), (a_bot(owner.user),))])
    before = await row_of(supabase_server, owner.user)
    await statuses.record([UserState(owner.user, None, None, ())])
    assert await row_of(supabase_server, owner.user) == before


async def test_somebody_nothing_is_known_of_is_disconnected(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    await statuses.record([UserState(owner.user, None, None, ())])
    row = await row_of(supabase_server, owner.user)
    assert (row.is_connected, row.bot_running, row.broker_balance) == (False, False, Decimal(0))


async def test_users_who_are_gone_are_left_out(
    supabase_server: SupabaseServer, statuses: BotStatuses, owner: Person
) -> None:
    gone = [new_id() for _ in range(BATCH - 1)]
    states = [UserState(user, a_session(user), None, ()) for user in (*gone, owner.user)]
    await statuses.record(states)
    assert (await row_of(supabase_server, owner.user)).is_connected
    assert await supabase_server.as_service("GET", f"/rest/v1/bot_status?user_id=eq.{gone[0]}") == []


async def test_nobody_is_nothing(statuses: BotStatuses) -> None:
    await statuses.record([])
