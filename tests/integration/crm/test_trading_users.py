"""Trading users become contacts by themselves, with what they do: nothing is lost, nothing is told twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.contracts.account import AccountChoice, AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.ids import new_id
from libs.store.bot_status import BotStatuses, UserState
from libs.store.trades import Trades
from tests.integration.crm.stack import CrmStack
from tests.integration.numbers import number
from tests.integration.postgres_server import PostgresServer
from tests.integration.supabase_server import Person
from tests.messages import a_closing, a_position, a_settlement, an_order

pytestmark = pytest.mark.asyncio(loop_scope="session")


PROFITS = {"WIN": Decimal("8.2"), "LOSS": Decimal(-10), "TIE": Decimal(0)}


async def contact_of(crm: CrmStack, person: Person) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            rows = (await crm.ask("GET", f"contacts?search={person.email}"))["data"]
            if rows and rows[0]["user_id"]:
                found: dict[str, Any] = rows[0]
                return found
            await asyncio.sleep(0.1)


async def trade(crm: CrmStack, person: Person, result: str, account: AccountType = AccountType.DEMO) -> None:
    order = an_order(order_id=new_id(), user=person.user, account_type=account)
    settlement = a_settlement(profit=PROFITS[result])
    closing = a_closing(order=order, position=a_position(position_id=number()), settlement=settlement)
    await Trades(crm.database).record([closing])


async def status(crm: CrmStack, person: Person, **columns: object) -> None:
    await crm.supabase.as_service("PATCH", f"/rest/v1/bot_status?user_id=eq.{person.user}", columns)


async def facts_of(crm: CrmStack, contact: str) -> dict[str, Any]:
    [facts] = await crm.supabase.as_service("GET", f"/rest/v1/crm_trading_facts?contact_id=eq.{contact}")
    return dict(facts)


async def test_who_signs_up_is_a_contact(crm: CrmStack) -> None:
    person = await crm.supabase.sign_up()
    contact = await contact_of(crm, person)
    assert (contact["user_id"], contact["name"], contact["source"], contact["status"]) == (
        person.user, "Somebody New", "trading", "lead",
    )  # fmt: skip
    assert len(await crm.until_told(contact["id"], "signed_up")) == 1


async def test_who_was_a_contact_before_is_the_same_one(crm: CrmStack) -> None:
    email = f"{new_id()}@example.test"
    before = await crm.contact(email=email.upper(), name="Known Before", tags=["fair"])
    person = await crm.supabase.sign_up(email=email)
    contact = await contact_of(crm, person)
    assert (contact["id"], contact["name"], contact["tags"]) == (before["id"], "Known Before", ["fair"])
    await crm.until_told(contact["id"], "signed_up")


async def test_what_they_do_is_told_in_order_and_once(crm: CrmStack) -> None:
    person = await crm.supabase.sign_up()
    await crm.supabase.as_service("POST", "/rest/v1/bot_status", {"user_id": person.user})
    contact = (await contact_of(crm, person))["id"]
    await status(crm, person, bot_running=True)
    await status(crm, person, bot_running=False)
    await status(crm, person, bot_running=True)
    for result in ("LOSS", "LOSS", "TIE", "LOSS", "WIN", "LOSS"):
        await trade(crm, person, result)
    await status(crm, person, account_type="real", balance_account="real", broker_balance=120)
    await status(crm, person, broker_balance=0)
    await trade(crm, person, "LOSS", AccountType.REAL)
    async with asyncio.timeout(20):
        while (await crm.ask("GET", f"contacts/{contact}"))["data"]["status"] != "customer":
            await asyncio.sleep(0.1)
    await crm.until_told(contact, "losses_in_a_row", 2)
    wanted = ("bot_started", "bot_stopped", "first_deposit", "losses_in_a_row")
    rows = (await crm.ask("GET", f"contacts/{contact}/activities?limit=200"))["data"][::-1]
    assert [(row["type"], row["data"].get("losses")) for row in rows if row["type"] in wanted] == [
        ("bot_started", None), ("bot_stopped", None), ("bot_started", None), ("losses_in_a_row", 2),
        ("losses_in_a_row", 3), ("first_deposit", None),
    ]  # fmt: skip
    assert "fact." not in str(rows), "what is told with each trade is not part of the timeline"
    assert any("fact.trades" in event.data["fields"] for event in await crm.events(contact, "contact_updated"))
    facts = await facts_of(crm, contact)
    known = {name: facts[name] for name in ("trades", "real_trades", "demo_losses", "real_losses", "bot_running")}
    assert known == {"trades": 7, "real_trades": 1, "demo_losses": 1, "real_losses": 1, "bot_running": True}


async def test_play_money_is_never_taken_for_a_deposit(crm: CrmStack) -> None:
    """Whichever account is shown, and whatever is known of it yet."""
    person = await crm.supabase.sign_up()
    contact = (await contact_of(crm, person))["id"]
    statuses, begin = BotStatuses(crm.database), datetime.now(UTC)

    async def shown(after: int, account: AccountType, real: str = "0", known: bool = True) -> None:
        at = begin + timedelta(seconds=after)
        balances = Balances(user=person.user, at=at, balances=(
            Balance(id=1, type=AccountType.REAL, amount=Decimal(real), currency="USD"),
            Balance(id=2, type=AccountType.DEMO, amount=Decimal(10000), currency="USD"),
        ))  # fmt: skip
        session = SessionStatus(user=person.user, at=at, state=SessionState.CONNECTED)
        choice = AccountChoice(user=person.user, at=at, account_type=account)
        await statuses.record([
            UserState(person.user, session if known else None, balances if known else None, (), choice)
        ])  # fmt: skip

    async def until(wanted: dict[str, object]) -> None:
        async with asyncio.timeout(20):
            while wanted != {name: (await facts_of(crm, contact))[name] for name in wanted}:
                await asyncio.sleep(0.05)

    await shown(0, AccountType.DEMO)
    await shown(1, AccountType.REAL)
    await shown(2, AccountType.DEMO)
    await until({"account_type": "demo", "balance": 10000, "real_balance": 0})
    await shown(3, AccountType.REAL, known=False)
    await until({"account_type": "real", "real_balance": 0})
    assert await crm.events(contact, "first_deposit") == []
    await shown(4, AccountType.REAL, "250")
    await until({"account_type": "real", "balance": 250, "real_balance": 250})
    await shown(5, AccountType.DEMO, "250")
    await until({"account_type": "demo", "balance": 10000, "real_balance": 250})
    assert len(await crm.until_told(contact, "first_deposit")) == 1


async def test_the_erased_stay_so(crm: CrmStack) -> None:
    person = await crm.supabase.sign_up()
    contact = (await contact_of(crm, person))["id"]
    await crm.ask("DELETE", f"contacts/{contact}")
    await trade(crm, person, "WIN")
    bystander = await crm.supabase.sign_up()
    await contact_of(crm, bystander)  # what was before it has been worked off
    assert (await crm.ask("GET", f"contacts?search={person.email}"))["data"] == []
    assert await crm.supabase.as_service("GET", f"/rest/v1/crm_trading_facts?contact_id=eq.{contact}") == []


async def test_a_batch_that_fails_is_worked_off_again_and_what_never_can_be_is_kept(postgres: PostgresServer) -> None:
    user = new_id()
    postgres.ask(
        """insert into auth.users (id, email, raw_user_meta_data) values (:'user', :'user' || '@x.test', '{}');
        insert into public.crm_user_events (user_id, kind, data) values (:'user', 'opened', '{"at": "never"}')""",
        user=user,
    )
    with postgres.session() as one:
        one.run("begin; select public.crm_apply_user_events(100);")
        assert postgres.ask("select public.crm_apply_user_events(100)") == ["0"]  # one at a time
        one.run("rollback;")
    assert int(postgres.ask("select public.crm_apply_user_events(100)")[0]) >= 2
    assert postgres.ask("select count(*) from public.crm_user_events") == ["0"]
    kept = "select details ->> 'kind' from public.crm_audit where action = 'user_event_failed'"
    assert postgres.ask(kept) == ["opened"]
    told = "select count(*) from public.crm_activities where dedupe_key = 'signed_up.' || :'user'"
    assert postgres.ask(told, user=user) == ["1"]


async def test_who_has_not_traded_for_long_is_told_of_once(postgres: PostgresServer) -> None:
    postgres.ask("""
        with made as (
          insert into public.crm_contacts (email)
          values ('31@x.test'), ('32@x.test'), ('33@x.test'), ('29@x.test') returning id, email
        )
        insert into public.crm_trading_facts (contact_id, last_trade_at)
        select id, now() - make_interval(days => split_part(email, '@', 1)::integer) from made""")
    tell = "select public.crm_tell_inactive(30, 2);"
    assert postgres.ask(tell * 3) == ["2", "1", "0"]
