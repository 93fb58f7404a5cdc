"""What administrators do to users: done once, recorded with who did it, told, and refused where it must be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.bus import Bus
from libs.bus.topology import ACCOUNTS, OPERATORS, PLATFORM
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys, subjects
from libs.contracts.account import SessionState, SessionStatus
from libs.contracts.admin import ActOnUser, SetRole, SuspendUser
from libs.contracts.ids import new_id
from libs.contracts.logs import LogRecorded
from libs.contracts.platform import BarredUser
from libs.contracts.rpc import DISCONNECT, ErrorCode, OfUser, RpcError, SessionReport
from libs.contracts.users import UserActed
from libs.store import Database
from libs.store.people import People
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.supabase_server import Person, SupabaseServer

ADDRESS = "203.0.113.7"
Appoint = Callable[[str], Awaitable[Person]]


@pytest.fixture
def appoint(supabase_server: SupabaseServer) -> Appoint:
    async def appoint(role: str) -> Person:
        person = await supabase_server.sign_up()
        await supabase_server.appoint(person, role)
        return person

    return appoint


@pytest.fixture
async def people(supabase_server: SupabaseServer) -> AsyncIterator[People]:
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        yield People(database)


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


def suspension(by: Person, target: Person, reason: str = "chargeback") -> SuspendUser:
    return SuspendUser(by=by.user, user=target.user, address=ADDRESS, reason=reason)


def on(by: Person, target: Person) -> ActOnUser:
    return ActOnUser(by=by.user, user=target.user, address=ADDRESS)


def role(by: Person, target: Person, role: str | None) -> SetRole:
    return SetRole(by=by.user, user=target.user, address=ADDRESS, role=role)  # type: ignore[arg-type]


async def activity(server: SupabaseServer, person: Person) -> list[dict[str, Any]]:
    """Without ids and times, in order."""
    path = f"/rest/v1/user_activity_log?user_id=eq.{person.user}&order=id&select=action,actor_id,details,ip"
    rows: list[dict[str, Any]] = await server.as_service("GET", path)
    return rows


async def told(bus: Bus, person: Person) -> list[UserActed]:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    everybody = await bus.past(OPERATORS, subjects.OPERATORS_USER, UserActed, since)
    return [one for one in everybody if one.user == person.user]


async def refused(bus: Bus, endpoint: Any, request: Any, words: str, code: ErrorCode = ErrorCode.CONFLICT) -> None:
    with pytest.raises(RpcError, match=words) as refusal:
        await bus.call(endpoint, request)
    assert refusal.value.code is code


async def test_a_suspension_counts_at_once_and_until_it_is_lifted(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    appoint: Appoint,
    person: Person,
    people: People,
) -> None:
    boss = await appoint("admin")
    await start_analytics(supabase_server)
    assert (await bus.call(rpc.SUSPEND_USER, suspension(boss, person))).message == "User suspended"
    assert await bus.bucket(PLATFORM).get(keys.barred(person.user), BarredUser) is not None
    assert person.user in await people.barred([])
    again = await bus.call(rpc.SUSPEND_USER, suspension(boss, person, "another reason"))
    assert again.message == "User is suspended already"
    await bus.call(rpc.ACTIVATE_USER, on(boss, person))
    assert await bus.bucket(PLATFORM).get(keys.barred(person.user), BarredUser) is None
    assert person.user not in await people.barred([])
    await refused(bus, rpc.ACTIVATE_USER, on(boss, person), "not suspended")

    assert await activity(supabase_server, person) == [
        {"action": "suspended", "actor_id": boss.user, "details": {"reason": "chargeback"}, "ip": ADDRESS},
        {"action": "activated", "actor_id": boss.user, "details": {}, "ip": ADDRESS},
    ]
    path = f"/rest/v1/admin_logs?metadata->>user=eq.{person.user}&metadata->>by=eq.{boss.user}&order=id"
    logs = await supabase_server.as_service("GET", path)
    assert [(row["message"], row["audit"]) for row in logs] == [("User suspended", True), ("User activated", True)]
    since = datetime(2026, 1, 1, tzinfo=UTC)
    entries = await bus.past(OPERATORS, subjects.OPERATORS_LOG, LogRecorded, since)
    acts = [one for one in entries if one.metadata.get("by") == boss.user]
    assert [(one.number, one.message, one.metadata["user"]) for one in acts] == [
        (row["id"], row["message"], person.user) for row in logs
    ]
    assert [(one.action, one.by, one.reason) for one in await told(bus, person)] == [
        ("suspended", boss.user, "chargeback"), ("activated", boss.user, ""),
    ]  # fmt: skip


async def test_who_is_barred_is_disconnected_from_the_broker(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, appoint: Appoint, person: Person
) -> None:
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def disconnect(request: OfUser) -> SessionReport:
        status = SessionStatus(user=request.user, at=datetime.now(UTC), state=SessionState.DISCONNECTED)
        await bus.bucket(ACCOUNTS).put(keys.session(request.user), status)
        asked.put_nowait(request.user)
        return SessionReport(status=status, balances=None)

    served = await bus.serve("gateway", {DISCONNECT: disconnect})
    session = SessionStatus(user=person.user, at=datetime.now(UTC), state=SessionState.CONNECTED)
    await bus.bucket(ACCOUNTS).put(keys.session(person.user), session)
    boss = await appoint("admin")
    await start_analytics(supabase_server)
    await bus.call(rpc.SUSPEND_USER, suspension(boss, person))
    async with asyncio.timeout(5):
        while await asked.get() != person.user:
            pass
    await served.stop()


async def test_nobody_suspends_themselves_or_who_is_above_them(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    appoint: Appoint,
    person: Person,
    people: People,
) -> None:
    chief, boss, helper = [await appoint(role) for role in ("super_admin", "admin", "support")]
    await start_analytics(supabase_server)
    await refused(bus, rpc.SUSPEND_USER, suspension(boss, boss), "yourself")
    await refused(bus, rpc.SUSPEND_USER, suspension(boss, chief), "role does not allow")
    await refused(bus, rpc.SUSPEND_USER, suspension(helper, person), "role does not allow")
    nobody = Person(new_id(), "", "")
    await refused(bus, rpc.SUSPEND_USER, suspension(boss, nobody), "not found", ErrorCode.NOT_FOUND)
    assert await people.barred([chief.user, boss.user, person.user]) & {chief.user, boss.user, person.user} == set()
    await bus.call(rpc.SUSPEND_USER, suspension(chief, boss))
    await refused(bus, rpc.SUSPEND_USER, suspension(boss, person), "role does not allow")
    assert await activity(supabase_server, person) == []


async def test_roles_are_given_changed_and_taken(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    appoint: Appoint,
    person: Person,
    people: People,
) -> None:
    chief, boss = await appoint("super_admin"), await appoint("admin")
    await start_analytics(supabase_server)
    for wanted in ("support", "support", "super_admin", None, None, "analyst"):
        await bus.call(rpc.SET_ROLE, role(chief, person, wanted))
        assert await people.role(person.user) == wanted
    changes = [(one["details"]["before"], one["details"]["role"]) for one in await activity(supabase_server, person)]
    assert changes == [(None, "support"), ("support", "super_admin"), ("super_admin", None), (None, "analyst")]
    assert [one.role for one in await told(bus, person)] == ["support", "super_admin", None, "analyst"]
    await refused(bus, rpc.SET_ROLE, role(chief, chief, "admin"), "your own role")
    await refused(bus, rpc.SET_ROLE, role(boss, person, "super_admin"), "super_admin")
    await refused(bus, rpc.SET_ROLE, role(chief, person, "owner"), "role", ErrorCode.INVALID_REQUEST)


async def test_somebody_who_was_appointed_by_address_keeps_one_row(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    appoint: Appoint,
    person: Person,
    people: People,
) -> None:
    chief = await appoint("super_admin")
    await supabase_server.appoint(person, "analyst", user_id=None)
    await start_analytics(supabase_server)
    await bus.call(rpc.SET_ROLE, role(chief, person, "admin"))
    assert await people.role(person.user) == "admin"
    assert len(await supabase_server.as_service("GET", f"/rest/v1/admin_users?email=eq.{person.email}")) == 1


async def test_of_two_who_demote_each_other_at_once_one_stays(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, appoint: Appoint, people: People
) -> None:
    first, second = await appoint("super_admin"), await appoint("super_admin")
    await start_analytics(supabase_server)
    outcomes = await asyncio.gather(
        bus.call(rpc.SET_ROLE, role(first, second, None)),
        bus.call(rpc.SUSPEND_USER, suspension(second, first)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, RpcError) for outcome in outcomes) == 1
    roles = [await people.role(first.user), await people.role(second.user)]
    barred = await people.barred([first.user, second.user])
    standing = [
        person for person, role in zip((first, second), roles, strict=True) if role and person.user not in barred
    ]
    assert len(standing) == 1


async def test_a_recovery_mail_goes_to_the_user_alone(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, appoint: Appoint, person: Person
) -> None:
    helper = await appoint("support")
    analytics = await start_analytics(supabase_server)
    answer = await bus.call(rpc.RESET_PASSWORD, on(helper, person))
    assert answer.message == "Recovery e-mail sent"
    mail = supabase_server.mail_to(person.email)
    assert "Reset your password" in mail
    token = mail.partition("token=")[2].partition("&")[0]
    assert len(token) > 20
    assert token not in analytics.log()
    [row] = await activity(supabase_server, person)
    assert row == {"action": "password_reset", "actor_id": helper.user, "details": {}, "ip": ADDRESS}
    nobody = Person(new_id(), "", "")
    await refused(bus, rpc.RESET_PASSWORD, on(helper, nobody), "not found", ErrorCode.NOT_FOUND)


async def test_nothing_is_recorded_of_a_mail_that_could_not_be_sent(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer
) -> None:
    person, helper = [await own_supabase_server.sign_up() for _ in range(2)]
    await own_supabase_server.appoint(helper, "support")
    await start_analytics(own_supabase_server)
    own_supabase_server.stop()
    await refused(bus, rpc.RESET_PASSWORD, on(helper, person), "away", ErrorCode.UNAVAILABLE)
    own_supabase_server.start()
    assert await activity(own_supabase_server, person) == []
