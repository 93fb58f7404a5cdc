"""Alerts in the database, as administrators are told of them and see to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.bus import Bus
from libs.bus.topology import OPERATORS
from libs.contracts import admin_rows as row
from libs.contracts import admin_rpc as rpc
from libs.contracts import subjects
from libs.contracts.admin import ActOnAlert, AlertsQuery, LogsQuery
from libs.contracts.alerts import Alert, AlertRecorded, Severity
from libs.contracts.codec import decode
from libs.contracts.ids import new_id
from libs.contracts.logs import LogRecorded
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.analytics.books import until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.nats_server import eventually
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW


@pytest.fixture
async def boss(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


@pytest.fixture
def kind() -> str:
    """One that nobody else raises."""
    return f"kind_{new_id()}"


@pytest.fixture
async def told(bus: Bus) -> list[AlertRecorded]:
    """Of whoever looks on."""
    heard: list[AlertRecorded] = []
    await bus.tail(OPERATORS, subjects.OPERATORS_ALERT, lambda stored: heard.append(decode(stored.data, AlertRecorded)))
    return heard


def an_alert(kind: str, **changes: Any) -> Alert:
    alert = Alert(
        id=new_id(), at=NOW, severity=Severity.CRITICAL, service="gateway", kind=kind, message=f"About {kind}",
        details={"order_id": "7"},
    )  # fmt: skip
    return msgspec.structs.replace(alert, **changes)


async def raise_(bus: Bus, *alerts: Alert) -> None:
    """Each call is a message of its own, as after the time in which repetitions are known."""
    for alert in alerts:
        await bus.append(subjects.alert(alert.severity), alert, id=new_id())


async def listed(bus: Bus, kind: str, count: int = 1, **query: Any) -> list[row.Alert]:
    """Once there are so many."""
    rows: list[row.Alert] = []

    async def there() -> bool:
        answer = await bus.call(rpc.ALERTS, AlertsQuery(type=kind, **query))
        rows[:] = answer.rows
        return answer.total >= count

    await until(there)
    return rows


async def test_an_alert_is_stored_once_and_told_with_its_number(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, kind: str, told: list[AlertRecorded]
) -> None:
    await start_analytics(supabase_server)
    alert = an_alert(kind, user=new_id())
    await raise_(bus, alert, alert, alert)
    await raise_(bus, an_alert("order_unknown", message=kind))
    [stored] = await listed(bus, kind)
    assert (stored.alert_type, stored.severity, stored.message) == ("custom", "critical", alert.message)
    assert (stored.is_read, stored.is_resolved, stored.timestamp) == (False, False, NOW)
    assert (stored.user_id, stored.details, stored.service) == (alert.user, {"order_id": "7"}, "gateway")
    await eventually(lambda: any(each.alert.message == kind for each in told))
    assert {each.number for each in told if each.alert == alert} == {stored.id}

    async def known() -> bool:
        rows = (await bus.call(rpc.ALERTS, AlertsQuery(type="error", limit=200))).rows
        return any(each.message == kind for each in rows)

    await until(known)


async def test_what_was_seen_to_stays_so_and_the_first_who_did_is_kept(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, kind: str, boss: Person
) -> None:
    await start_analytics(supabase_server)
    alert = an_alert(kind)
    await raise_(bus, alert)
    [stored] = await listed(bus, kind)
    another = await supabase_server.sign_up()
    for endpoint, by in ((rpc.READ_ALERT, boss), (rpc.READ_ALERT, another), (rpc.RESOLVE_ALERT, another)):
        await bus.call(endpoint, ActOnAlert(by=by.user, id=stored.id))
        await raise_(bus, alert)
    await bus.call(rpc.RESOLVE_ALERT, ActOnAlert(by=boss.user, id=stored.id))
    later = an_alert(kind)
    await raise_(bus, later)
    newest, seen = sorted(await listed(bus, kind, 2), key=lambda each: each.is_read)
    assert (seen.is_read, str(seen.read_by)) == (True, boss.user)
    assert (seen.is_resolved, str(seen.resolved_by)) == (True, another.user)
    assert [each.id for each in await listed(bus, kind, unread=True)] == [newest.id]
    assert (await bus.call(rpc.ALERTS, AlertsQuery(type=kind, severity="warning"))).total == 0

    entries = (await bus.call(rpc.LOGS, LogsQuery(origin="api", search=kind))).rows
    acts = [(each.message.split(":")[0], each.metadata["by"]) for each in entries if "alert" in each.metadata]
    assert acts == [("Alert resolved", another.user), ("Alert read", boss.user)]
    told = await bus.past(OPERATORS, subjects.OPERATORS_LOG, LogRecorded, datetime(2026, 1, 1, tzinfo=UTC))
    numbers = {entry.id for entry in entries if "alert" in entry.metadata}
    assert {one.number for one in told if "alert" in one.metadata} == numbers, "who looks on hears of it"
    with pytest.raises(RpcError) as refused:
        await bus.call(rpc.READ_ALERT, ActOnAlert(by=boss.user, id=2**62))
    assert refused.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("order", ["together", "end first", "end last"])
async def test_an_alert_that_is_over_is_resolved_whatever_comes_first(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, kind: str, order: str
) -> None:
    alert = an_alert(kind)
    end = an_alert(kind, severity=Severity.INFO, ends=alert.id, at=NOW + timedelta(seconds=9), message="It is over")
    first, second = (end, alert) if order == "end first" else (alert, end)
    if order == "together":
        await raise_(bus, first, second)
        await start_analytics(supabase_server)
    else:
        await start_analytics(supabase_server)
        await raise_(bus, first)
        await listed(bus, kind)
        await raise_(bus, second)
    newest, oldest = await listed(bus, kind, 2)
    assert (newest.severity, newest.is_resolved, newest.message) == ("info", True, "It is over")
    assert (oldest.is_resolved, oldest.resolved_at, oldest.resolved_by) == (True, end.at, None)
    assert oldest.is_read is False, "nobody has seen it"


async def test_while_the_database_is_away_operators_are_told_and_later_it_is_stored(
    bus: Bus, start_analytics: StartAnalytics, own_supabase_server: SupabaseServer, told: list[AlertRecorded]
) -> None:
    await start_analytics(own_supabase_server)
    own_supabase_server.stop()
    alert = an_alert("order_unknown")
    await raise_(bus, alert)

    def numbers() -> list[int]:
        return [each.number for each in told if each.alert == alert]

    await eventually(numbers)
    assert numbers() == [0]
    own_supabase_server.start()
    [stored] = await listed(bus, "order_unknown")
    await eventually(lambda: numbers() == [0, stored.id])


async def test_pages_begin_with_the_newest(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, kind: str
) -> None:
    await start_analytics(supabase_server)
    await raise_(bus, *(an_alert(kind, at=NOW + timedelta(seconds=number), message=str(number)) for number in range(5)))
    await listed(bus, kind, 5)
    page = await bus.call(rpc.ALERTS, AlertsQuery(type=kind, limit=2, offset=2))
    assert ([each.message for each in page.rows], page.total) == (["2", "1"], 5)
    beyond = await bus.call(rpc.ALERTS, AlertsQuery(type=kind, limit=2, offset=7))
    assert (beyond.rows, beyond.total) == ((), 5)
