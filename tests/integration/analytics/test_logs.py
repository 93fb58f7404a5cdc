"""The log that administrators read: who did what, and what went wrong."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import ALERTS, DEAD_LETTERS, OPERATORS, PLATFORM
from libs.contracts import admin_rows as row
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys, subjects
from libs.contracts.admin import LogsQuery
from libs.contracts.alerts import Alert, Severity
from libs.contracts.codec import decode
from libs.contracts.ids import new_id
from libs.contracts.logs import LogRecorded
from libs.contracts.orders import OrderState, RejectCode, TradeFailed
from libs.contracts.platform import BarredUser, Platform, PlatformRecord, UserLimits, UserLimitsRecord
from libs.store import Database, StoreError
from libs.store.logs import Logs
from tests.integration.analytics.books import until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.nats_server import eventually
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW, a_position, an_order


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


async def logged(bus: Bus, search: str, count: int = 1, **query: Any) -> list[row.LogEntry]:
    """Once there are so many."""
    rows: list[row.LogEntry] = []

    async def there() -> bool:
        answer = await bus.call(rpc.LOGS, LogsQuery(search=search, **query))
        rows[:] = answer.rows
        return answer.total >= count

    await until(there)
    return rows


def a_failure(user: str, state: OrderState, code: RejectCode, second: int) -> TradeFailed:
    order = an_order(order_id=new_id(), user=user)
    at = NOW + timedelta(seconds=second)
    return TradeFailed(id=f"{order.order_id}.{state}", at=at, order=order, state=state, code=code, reason="Too late")


async def test_orders_that_failed_are_logged_by_how_bad_it_is(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    heard: list[LogRecorded] = []
    await bus.tail(OPERATORS, subjects.OPERATORS_LOG, lambda stored: heard.append(decode(stored.data, LogRecorded)))
    await start_analytics(supabase_server)
    failures = [
        a_failure(person.user, OrderState.REJECTED, RejectCode.EXPIRED, 1),
        a_failure(person.user, OrderState.REJECTED, RejectCode.REFUSED, 2),
        a_failure(person.user, OrderState.UNKNOWN, RejectCode.UNDECIDED, 3),
    ]
    for failure in [*failures, *failures]:
        await bus.append(subjects.trade(person.user, failure.state), failure, id=new_id())
    entries = await logged(bus, person.user, 3)
    assert [(each.level, each.origin) for each in entries] == [("error", "bot"), ("warn", "bot"), ("info", "bot")]
    assert entries[0].message == "Order unknown: Too late"
    assert (entries[0].metadata["order"], entries[0].metadata["code"]) == (failures[2].order.order_id, "UNDECIDED")
    await eventually(lambda: {each.number for each in heard} >= {each.id for each in entries})


async def test_what_administrators_set_is_an_audit_that_nobody_changes(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    boss = await supabase_server.sign_up()
    bucket = bus.bucket(PLATFORM)
    for number in range(3):
        platform = Platform(maintenance=number == 1, notice=person.user)
        await bucket.put("platform", PlatformRecord(at=NOW + timedelta(seconds=number), by=boss.user, value=platform))
    limits = UserLimitsRecord(at=NOW, by=boss.user, value=UserLimits(trading=False))
    await bucket.put(f"user.{person.user}", limits)
    await bucket.put(keys.barred(person.user), BarredUser(user=person.user, at=NOW))
    await bucket.delete(keys.barred(person.user))
    await start_analytics(supabase_server)  # what was set while it was away
    entries = await logged(bus, person.user, 6)
    messages = [each.message for each in entries]
    assert messages.count("The platform was set") == 3
    assert {"The limits of a user were set", "A user may come in again"} < set(messages)
    by_boss = await logged(bus, boss.user, 4, origin="api")
    assert len(by_boss) == 4
    assert '"maintenance":true' in by_boss[1].metadata["now"]

    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        await Logs(database).forget(NOW + timedelta(days=10_000))
        assert len(await logged(bus, person.user, 6)) == 6
        query = database.client.table("admin_logs").update({"message": "nothing"}).eq("id", entries[0].id)
        with pytest.raises(StoreError, match="only appended"):
            await database.execute(query, "admin_logs")
        with pytest.raises(StoreError, match="only appended"):
            await database.execute(database.client.table("admin_logs").delete().eq("id", entries[0].id), "admin_logs")


async def test_what_is_no_audit_is_forgotten_in_time(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    for second in (0, 60):
        failure = a_failure(person.user, OrderState.REJECTED, RejectCode.REFUSED, second)
        await bus.append(subjects.trade(person.user, failure.state), failure, id=new_id())
    await logged(bus, person.user, 2)
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        assert await Logs(database).forget(NOW + timedelta(seconds=30)) >= 1
    assert [each.created_at for each in await logged(bus, person.user)] == [NOW + timedelta(seconds=60)]


async def test_alerts_are_logged_and_found_by_level_time_and_words(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    await start_analytics(supabase_server)
    word = f"100%_{new_id()}"
    for second, severity in enumerate(Severity):
        alert = Alert(
            id=new_id(), at=NOW + timedelta(seconds=second), severity=severity, service="bots", kind="k", message=word
        )
        await bus.append(subjects.alert(severity), alert, id=alert.id)
    newest, *_ = entries = await logged(bus, word.upper(), 3)
    assert [(each.level, each.origin) for each in entries] == [("critical", "bot"), ("warn", "bot"), ("info", "bot")]
    assert [each.level for each in await logged(bus, word, level="warn")] == ["warn"]
    assert await logged(bus, word, since=newest.created_at) == [newest]
    page = await bus.call(rpc.LOGS, LogsQuery(search=word, limit=1, offset=1))
    assert ([each.level for each in page.rows], page.total) == (["warn"], 3)
    assert (await bus.call(rpc.LOGS, LogsQuery(search=word, origin="frontend"))).total == 0


async def test_a_message_that_nobody_can_read_is_logged_and_the_others_flow(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer
) -> None:
    dead: list[Delivery] = []

    async def collect(batch: list[Delivery]) -> None:
        dead.extend(batch)

    await start_analytics(supabase_server)
    undertaker = await bus.consume(Consumer(DEAD_LETTERS.name, "undertaker"), collect)
    await bus.append(subjects.alert(Severity.WARNING), a_position(), id=new_id())
    nul = Alert(id=new_id(), at=NOW, severity=Severity.WARNING, service="x", kind="k", message=f"\x00{new_id()}")
    await bus.append(subjects.alert(Severity.WARNING), nul, id=nul.id)
    await eventually(lambda: dead)
    entries = await logged(bus, "set aside by analytics", level="error")
    told_of = {(each.metadata["stream"], each.metadata["subject"], each.metadata["dead_letter"]) for each in entries}
    assert (ALERTS.name, "alert.warning", dead[0].sequence) in told_of, "and those of other tests"
    [told] = await logged(bus, nul.message[1:])
    assert told.message == f"\N{REPLACEMENT CHARACTER}{nul.message[1:]}"
    await undertaker.stop()
    assert msgspec.json.decode(dead[0].data)["position_id"] == a_position().position_id
