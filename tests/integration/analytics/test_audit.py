"""Rows that go, change or double behind everybody's back: a gateway, a paper broker, analytics and its database."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from libs.bus import Bus
from libs.contracts.alerts import Alert
from libs.contracts.ids import new_id
from services.analytics.audit import Fault
from tests.integration.analytics.books import Books, until
from tests.integration.broker_gateway.rig import Rig
from tests.integration.numbers import number
from tests.integration.paper_broker import PaperBroker
from tests.integration.service_process import StartService
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.takes(45)

CHANGING = ("id", "updated_at", "created_at", "acknowledged_at")
NUMBERS = ("valor", "profit_esperado", "pnl", "open_quote", "close_quote", "decided_quote")
"""8.6 is 8.60."""


@pytest.mark.timeout(150)
async def test_rows_are_put_right_and_what_their_owner_deleted_stays_deleted(
    bus: Bus, paper_broker: PaperBroker, start_service: StartService, books: Books, supabase_server: SupabaseServer
) -> None:
    person = await supabase_server.sign_up()
    rig = Rig(bus, paper_broker, start_service)
    alerts: list[Alert] = []

    async def hear(_: str, alert: Alert) -> None:
        if alert.kind in set(Fault):
            alerts.append(alert)

    await rig.start_gateway()
    await rig.connect(person.user)
    await bus.subscribe("alert.*", Alert, hear)
    analytics = await start_service(
        "analytics", "analytics", **supabase_server.environment, PREGAO_AUDIT_INTERVAL="0.5"
    )
    for _ in range(3):
        await rig.submit(await rig.intend(user=person.user), person.user)
    await books.settled(person, 3)
    before = await whole_rows(supabase_server, person)
    gone, altered, deleted = before

    await supabase_server.as_service("DELETE", row(gone))
    await supabase_server.as_service("PATCH", row(altered), {"pnl": 999, "resultado": "WIN"})
    double = altered | {"order_id": new_id(), "external_id": number()}
    del double["id"]
    await supabase_server.as_service("POST", "/rest/v1/trade_history", double)
    await supabase_server.as_person(person, "DELETE", row(deleted))

    async def told() -> bool:
        return len(alerts) >= 3

    await until(told, timeout=40)
    assert sorted(alert.kind for alert in alerts) == [
        "ledger_row_altered", "ledger_row_missing", "ledger_row_unknown",
    ]  # fmt: skip
    assert {alert.details["outcome"] for alert in alerts} == {"put right", "a human must look"}
    assert {alert.user for alert in alerts} == {person.user}

    turns = await analytics.metric("pregao_ledger_audit_seconds_count")
    while await analytics.metric("pregao_ledger_audit_seconds_count") < turns + 2:
        await asyncio.sleep(0.1)
    after = {each["order_id"]: each for each in await whole_rows(supabase_server, person)}
    assert after.keys() == {gone["order_id"], altered["order_id"], double["order_id"]}
    assert [lasting(after[each["order_id"]]) for each in (gone, altered)] == [lasting(gone), lasting(altered)]
    assert len(alerts) == 3, "each is told once"


async def whole_rows(server: SupabaseServer, person: Person) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await server.as_service(
        "GET", f"/rest/v1/trade_history?order=id&user_id=eq.{person.user}"
    )
    return rows


def row(one: dict[str, Any]) -> str:
    return f"/rest/v1/trade_history?id=eq.{one['id']}"


def lasting(one: dict[str, Any]) -> dict[str, Any]:
    """Whatever reading and writing it once more may not change."""
    return {
        name: Decimal(str(value)) if name in NUMBERS and value is not None else value
        for name, value in one.items()
        if name not in CHANGING
    }
