"""The `bot_status` row of a user says what the buckets say."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import ACCOUNTS, BOTS, DEAD_LETTERS
from libs.contracts import keys
from libs.contracts.account import AccountChoice, AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.ids import BotId, new_id
from libs.contracts.rpc import RECORD_STATUS, ErrorCode, OfUser, RpcError
from libs.store.rows import read_rows
from tests.integration.analytics.books import until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.nats_server import eventually
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW, a_position


class Row(msgspec.Struct, frozen=True):
    is_connected: bool
    broker_balance: Decimal
    ssid: str | None
    bot_running: bool
    account_type: str
    status: str | None


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


class Account:
    """What the gateway and the bots write of one user."""

    def __init__(self, bus: Bus, server: SupabaseServer, person: Person) -> None:
        self._accounts = bus.bucket(ACCOUNTS)
        self._bots = bus.bucket(BOTS)
        self._server = server
        self._user = person.user

    async def session(self, state: SessionState, second: int = 0) -> None:
        status = SessionStatus(user=self._user, at=NOW + timedelta(seconds=second), state=state)
        await self._accounts.put(keys.session(self._user), status)

    async def balance(self, amount: str, second: int = 0) -> None:
        demo = Balance(id=1, type=AccountType.DEMO, amount=Decimal(amount), currency="USD")
        balances = Balances(user=self._user, at=NOW + timedelta(seconds=second), balances=(demo,))
        await self._accounts.put(keys.balance(self._user), balances)

    async def bot(
        self,
        label: str,
        second: int = 0,
        state: BotState = BotState.RUNNING,
        account_type: AccountType = AccountType.DEMO,
    ) -> None:
        at = NOW + timedelta(seconds=second)
        status = BotStatus(
            id=new_id(), user=self._user, at=at, run="run-1", number=1, state=state, activity=Activity.ANALYZING,
            label=label, config=BotConfig(account_type=account_type), started_at=at,
        )  # fmt: skip
        await self._bots.put(keys.bot_status(status.bot), status)

    async def chooses(self, account_type: AccountType, second: int = 0) -> None:
        at = NOW + timedelta(seconds=second)
        choice = AccountChoice(user=self._user, at=at, account_type=account_type)
        await self._bots.put(keys.account_choice(self._user), choice)

    async def row(self) -> Row | None:
        path = f"/rest/v1/bot_status?user_id=eq.{self._user}"
        rows = read_rows(await self._server.as_service("GET", path), Row)
        return rows[0] if rows else None

    async def says(self, label: str, balance: str) -> bool:
        row = await self.row()
        return row is not None and (row.status, row.broker_balance) == (label, Decimal(balance))


@pytest.fixture
def account(bus: Bus, supabase_server: SupabaseServer, person: Person) -> Account:
    return Account(bus, supabase_server, person)


async def test_whoever_asks_is_answered_when_the_row_is_there(
    bus: Bus, account: Account, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    for second, state in enumerate((SessionState.CONNECTED, SessionState.DISCONNECTED, SessionState.CONNECTED)):
        await account.session(state, second)
        await bus.call(RECORD_STATUS, OfUser(user=person.user))
        row = await account.row()
        assert row is not None
        assert row.is_connected == (state is SessionState.CONNECTED)
        assert (row.ssid is not None) == row.is_connected


async def test_changes_are_written_without_anybody_asking(
    account: Account, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    analytics = await start_analytics(supabase_server)
    await account.session(SessionState.CONNECTED)
    await account.balance("9990.05", 1)
    await account.bot("Analyzing markets...", 2)
    await until(lambda: account.says("Analyzing markets...", "9990.05"))
    row = await account.row()
    assert row is not None
    assert (row.is_connected, row.bot_running) == (True, True)
    assert await analytics.terminate() == 0


async def test_the_last_of_many_changes_stands(
    account: Account, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    await start_analytics(supabase_server)
    await account.session(SessionState.CONNECTED)
    for second in range(50):
        await account.balance(str(second), second)
        await account.bot(f"step {second}", second)
    await until(lambda: account.says("step 49", "49"))


async def test_a_state_nobody_can_read_is_set_aside_and_the_others_flow(
    bus: Bus, account: Account, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    dead: list[Delivery] = []

    async def collect(batch: list[Delivery]) -> None:
        dead.extend(batch)

    undertaker = await bus.consume(Consumer(DEAD_LETTERS.name, "undertaker"), collect)
    bad = await supabase_server.sign_up()
    await bus.bucket(BOTS).put(keys.bot_status(BotId(bad.user, AccountType.DEMO)), a_position())
    await account.session(SessionState.CONNECTED)
    await account.balance("10", 1)
    await account.bot("Analyzing markets...", 2)
    await start_analytics(supabase_server)
    await until(lambda: account.says("Analyzing markets...", "10"))
    await eventually(lambda: dead)
    await undertaker.stop()
    assert dead[0].subject == "dlq.KV_bots.analytics"


async def test_while_the_database_is_away_whoever_asks_is_told_and_later_the_last_state_stands(
    bus: Bus, own_supabase_server: SupabaseServer, start_analytics: StartAnalytics
) -> None:
    person = await own_supabase_server.sign_up()
    account = Account(bus, own_supabase_server, person)
    await start_analytics(own_supabase_server)
    own_supabase_server.stop()
    await account.session(SessionState.CONNECTED)
    for second in range(20):
        await account.balance(str(second), second)
        await account.bot(f"step {second}", second)
    with pytest.raises(RpcError) as refused:
        await bus.call(RECORD_STATUS, OfUser(user=person.user))
    assert refused.value.code is ErrorCode.UNAVAILABLE
    own_supabase_server.start()
    await until(lambda: account.says("step 19", "19"))


async def test_the_chosen_account_is_shown_while_no_bot_runs(
    start_analytics: StartAnalytics, bus: Bus, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    account = Account(bus, supabase_server, person)

    async def shown() -> tuple[str, bool]:
        await bus.call(RECORD_STATUS, OfUser(user=person.user))
        row = await account.row()
        assert row is not None
        return row.account_type, row.bot_running

    await account.chooses(AccountType.REAL, 1)
    assert await shown() == ("real", False)
    await account.bot("Analyzing", 2)
    assert await shown() == ("demo", True)
    await account.bot("Analyzing", 3, account_type=AccountType.REAL)
    assert await shown() == ("real", True), "of two that run the later"
    await account.bot("Stopped", 4, BotState.STOPPED, AccountType.REAL)
    assert await shown() == ("demo", True)
    await account.bot("Stopped", 5, BotState.STOPPED)
    assert await shown() == ("real", False)
    await account.chooses(AccountType.DEMO, 6)
    assert await shown() == ("demo", False)
