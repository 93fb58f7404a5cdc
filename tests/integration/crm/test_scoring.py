"""Points for what happens: each event gives them once."""

import asyncio
from typing import Any

import pytest

from libs.contracts import subjects
from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.shapes import TIME, refusal
from tests.integration.postgres_server import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


def a_rule(**changes: Any) -> dict[str, Any]:
    return {"name": new_id(), "event": "tag_added", "delta": 10} | changes


async def scored(crm: CrmStack, contact: str, score: int) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (found := (await crm.ask("GET", f"contacts/{contact}/scores"))["data"])["score"] != score:
            await asyncio.sleep(0.05)
        return dict(found)


async def test_rules(crm: CrmStack) -> None:
    sent = a_rule(filter={"tag": new_id()}, cap_per_day=2, half_life_days=30)
    answer = await crm.ask("POST", "scoring-rules", sent)
    made = answer["data"]
    whole = {"repeatable": True, "active": True, "created_at": TIME, "updated_at": TIME, "id": made["id"]}
    assert answer == {"success": True, "message": "Scoring rule made", "data": {**sent, **whole}}
    assert made in (await crm.ask("GET", "scoring-rules"))["data"]
    path = f"scoring-rules/{made['id']}"
    assert (await crm.ask("PUT", path, sent | {"delta": -5}))["data"]["delta"] == -5
    for field, value in (("delta", 0), ("delta", 101), ("event", "nothing"), ("event", "score_changed"), ("name", "")):
        for method, at in (("POST", "scoring-rules"), ("PUT", path)):
            assert (await crm.ask(method, at, sent | {field: value}, 400))["field"] == field
    assert (await crm.ask("DELETE", path))["data"] == {"id": made["id"]}
    missing = refusal("NOT_FOUND", "There is no such scoring rule")
    assert await crm.ask("PUT", path, sent, 404) == missing
    assert await crm.ask("DELETE", path, status=404) == missing


async def test_what_happens_gives_points_once(crm: CrmStack) -> None:
    tag = new_id()
    for rule in (
        a_rule(filter={"tag": tag}), a_rule(filter={"tag": tag}, delta=45, repeatable=False),
        a_rule(filter={"tag": "another"}, delta=100), a_rule(filter={"tag": tag}, delta=90, active=False),
    ):  # fmt: skip
        await crm.ask("POST", "scoring-rules", rule)
    contact = (await crm.contact(tags=[tag]))["id"]
    await scored(crm, contact, 55)
    [told] = await crm.until_told(contact, "score_changed")
    assert told.data == {"score": 55, "before": 0, "threshold": 50}
    [event] = await crm.events(contact, "tag_added")
    await crm.bus.append(subjects.crm_event(event.type), event, id=new_id())  # it comes a second time
    await crm.ask("DELETE", f"contacts/{contact}/tags/{tag}")
    await crm.ask("PUT", f"contacts/{contact}/tags/{tag}")
    found = await scored(crm, contact, 65)
    assert [entry["delta"] for entry in found["entries"]] == [10, 45, 10] or sorted(
        entry["delta"] for entry in found["entries"]
    ) == [10, 10, 45]
    await crm.ask("PATCH", f"contacts/{contact}", {"score": 100})
    corrected = await scored(crm, contact, 100)
    assert (corrected["entries"][0]["delta"], corrected["entries"][0]["rule"]) == (35, None)
    told = (await crm.until_told(contact, "score_changed", 3))[-1]
    assert told.data == {"score": 100, "before": 65, "threshold": 80}
    assert (await crm.ask("GET", f"contacts/{new_id()}/scores", status=404))["code"] == "NOT_FOUND"


async def test_thresholds(crm: CrmStack) -> None:
    before = (await crm.ask("GET", "score-thresholds"))["data"]
    assert (await crm.ask("PUT", "score-thresholds", {"scores": [70, 7, 7]}))["data"] == {"scores": [7, 70]}
    assert (await crm.ask("PUT", "score-thresholds", {"scores": [0]}, 400))["field"].startswith("scores")
    assert (await crm.ask("PUT", "score-thresholds", before))["data"] == before


async def test_points_are_capped_and_decay(postgres: PostgresServer) -> None:
    contact = postgres.ask("insert into public.crm_contacts (email) values ('points@x.test') returning id")[0]
    postgres.ask("""insert into public.crm_scoring_rules (name, event, delta, cap_per_day, half_life_days)
        values ('r', 'mail_opened', 20, 2, 10)""")
    score = """select public.crm_score((
        select jsonb_agg(jsonb_build_object('id', gen_random_uuid(), 'type', 'mail_opened', 'contact_id', :'contact'))
        from generate_series(1, 3)))"""
    assert postgres.ask(score, contact=contact) == ["1"]
    of = "select score from public.crm_contacts where id = :'contact'"
    assert postgres.ask(of, contact=contact) == ["40"]
    postgres.ask(
        "update public.crm_score_events set at = at - interval '10 days' where contact_id = :'contact'", contact=contact
    )
    assert postgres.ask("select public.crm_settle_scores(10), public.crm_settle_scores(10)") == ["1\t0"]
    assert postgres.ask(of, contact=contact) == ["20"]
    twice = "select private.crm_add_score(:'contact', 5, 'wf.1'), private.crm_add_score(:'contact', 5, 'wf.1')"
    assert postgres.ask(twice, contact=contact) == ["t\tf"]
    assert postgres.ask(of, contact=contact) == ["25"]


async def test_what_a_trade_changes_scores_only_where_a_rule_names_it(postgres: PostgresServer) -> None:
    contact = postgres.ask("insert into public.crm_contacts (email) values ('trader@x.test') returning id")[0]
    postgres.ask("""insert into public.crm_scoring_rules (name, event, delta, filter) values
        ('any', 'contact_updated', 1, '{}'), ('named', 'contact_updated', 10, '{"fields": ["fact.trades"]}')""")
    score = """select public.crm_score(jsonb_build_array(jsonb_build_object(
        'id', gen_random_uuid(), 'type', 'contact_updated', 'contact_id', :'contact', 'data', :'data'::jsonb)))"""
    for data in ('{"fields": ["fact.balance"]}', '{"fields": ["fact.trades"]}', '{"fields": ["name", "fact.balance"]}'):
        postgres.ask(score, contact=contact, data=data)
    assert postgres.ask("select score from public.crm_contacts where id = :'contact'", contact=contact) == ["11"]
