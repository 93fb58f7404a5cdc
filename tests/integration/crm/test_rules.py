"""Rules as the database follows them pick whom they would pick one by one; and nothing else is ever run."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.contracts.ids import new_id
from services.crm.segments.comparisons import COMPARISONS
from tests.integration.crm.naive_rules import picks
from tests.integration.supabase_server import SupabaseServer, running

NOW = datetime.now(UTC)
TEXTS = ("", "a", "A", "ab", "Ba", "é", "%", "_", "'", "a'b", "a\\b", "$1", "{}", '"', "; drop table x", "x" * 200)
TAGS = ("a", "b", "it's", "%")
NUMBERS = (0, 1, 5, 5.5, 100, -3)
DAYS = (1, 2, 10, 40)
TIMES = tuple((NOW - timedelta(days=days, hours=12)).isoformat() for days in (0, 1, 5, 20, 100))
TOPICS = ("email", "email.news", "sms.a_b-c.d")
STATES = ("subscribed", "unsubscribed")
ACTIVITIES = ("note", "mail_opened")
MANY = 18


@dataclass(frozen=True, slots=True)
class Market:
    """Everybody there is, as the database has them and as they are told of here."""

    server: SupabaseServer
    contacts: dict[str, dict[str, Any]]
    segments: tuple[str, ...]

    def ask(self, function: str, **arguments: Any) -> Any:
        address = f"{self.server.url}/rest/v1/rpc/{function}"
        answer = httpx.post(address, json=arguments, headers={"apikey": self.server.secret_key}, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def compiled(self, rule: dict[str, Any]) -> Any:
        """The statement that is kept for a segment of that rule."""
        given = {"name": new_id(), "kind": "dynamic", "rules": rule}
        saved = self.ask("crm_save_segment", segment=None, given=given, expected=None)["segment"]["id"]
        address = f"{self.server.url}/rest/v1/crm_segments?id=eq.{saved}&select=compiled"
        [row] = httpx.get(address, headers={"apikey": self.server.secret_key}).json()
        return row["compiled"]

    def picked(self, rule: dict[str, Any]) -> set[str]:
        previewed = self.ask("crm_preview_segment", rules=rule)
        assert previewed["outcome"] == "done", previewed
        found = {row["id"] for row in previewed["samples"]}
        assert previewed["count"] == len(found)
        return found


def a_contact(random_: random.Random, segments: tuple[str, ...]) -> dict[str, Any]:
    def some(values: Any) -> Any:
        return random_.choice((None, *values))

    def when() -> datetime | None:
        text = some(TIMES)
        return datetime.fromisoformat(text) if text else None

    return {
        "email": f"{random_.choice('aé%')}{new_id()}@X.test", "name": random_.choice(TEXTS), "first_name": some(TEXTS),
        "locale": some(("pt", "pt-BR")), "status": random_.choice(("lead", "customer")),
        "score": random_.choice((0, 5, 100)),
        "last_seen_at": when(), "last_trade_at": when(), "real_balance": some((0, 50, 500, 5000)),
        "trades": random_.choice((0, 1, 100)), "bot_running": random_.random() < 0.5,
        "custom.t": some(TEXTS), "custom.n": some(NUMBERS), "custom.b": some((True, False)),
        "tags": {tag for tag in TAGS if random_.random() < 0.3},
        "segments": {segment for segment in segments if random_.random() < 0.4},
        "activities": {kind: [at for at in (when(), when()) if at] for kind in ACTIVITIES},
        "consents": {topic: random_.choice(STATES) for topic in TOPICS if random_.random() < 0.5},
    }  # fmt: skip


async def fill(server: SupabaseServer, random_: random.Random) -> Market:
    async def add(table: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = await server.as_service("POST", f"/rest/v1/{table}", list(rows)) if rows else []
        return made

    def plain(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else value

    fields = [
        {"key": key, "label": key, "type": type_} for key, type_ in (("t", "text"), ("n", "number"), ("b", "boolean"))
    ]
    await add("crm_custom_fields", *fields)
    segments = await add("crm_segments", *({"name": name, "kind": "static"} for name in ("one", "other")))
    ids = tuple(row["id"] for row in segments)
    contacts = {}
    for _ in range(MANY):
        contact = a_contact(random_, ids)
        columns = {name: plain(contact[name]) for name in
                   ("email", "name", "first_name", "locale", "status", "score", "last_seen_at")}  # fmt: skip
        custom = {key: contact[f"custom.{key}"] for key in "tnb" if contact[f"custom.{key}"] is not None}
        [row] = await add("crm_contacts", columns | {"custom_fields": custom})
        mine = {"contact_id": row["id"]}
        facts = {name: plain(contact[name]) for name in ("last_trade_at", "real_balance", "trades", "bot_running")}
        await add("crm_trading_facts", mine | facts)
        await add("crm_contact_tags", *(mine | {"tag": tag} for tag in contact["tags"]))
        await add("crm_segment_members", *(mine | {"segment_id": each, "member": True} for each in contact["segments"]))
        did = [(kind, at) for kind, times in contact["activities"].items() for at in times]
        await add("crm_activities", *(mine | {"type": kind, "at": at.isoformat()} for kind, at in did))
        for topic, state in contact["consents"].items():
            channel, _, about = topic.partition(".")
            said = {"channel": channel, "topic": about or "*", "state": state, "how": "test"}
            await add("crm_consents", mine | said | {"at": (NOW - timedelta(days=len(about))).isoformat()})
        contacts[row["id"]] = told(contact)
    return Market(server, contacts, ids)


def told(contact: dict[str, Any]) -> dict[str, Any]:
    """With what follows from it. `email` about all topics was said last, so it counts for each."""
    balance = contact["real_balance"] or 0
    band = "none" if balance <= 0 else "low" if balance < 100 else "medium" if balance < 1000 else "high"
    consents = dict(contact["consents"])
    if "email" in consents:
        consents["email.news"] = consents["email"]
    return contact | {"balance_band": band, "is_user": False, "account_type": None, "consents": consents}


@pytest.fixture(scope="module")
def market(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    for server in running(migrated_database, tmp_path_factory.mktemp("rules")):
        yield asyncio.run(fill(server, random.Random(7)))


FIELDS = {
    "text": ("email", "name", "first_name", "locale", "status", "balance_band", "account_type", "custom.t"),
    "number": ("score", "real_balance", "trades", "custom.n"),
    "time": ("last_seen_at", "last_trade_at"),
    "boolean": ("bot_running", "is_user", "custom.b"),
}
VALUES = {"text": (*TEXTS[1:], "pt", "lead", "low", "@x"), "number": NUMBERS, "time": TIMES, "boolean": (True, False)}


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from((*FIELDS, "tags", "segments", "activity", "consent")))
    if kind == "tags":
        cmp = draw(st.sampled_from(("contains", "not_contains", "in", "not_in", "empty", "not_empty")))
        values: Any = ("a", " B ", "it's", "%", "none")
        field = "tags"
    elif kind == "segments":
        cmp, values, field = draw(st.sampled_from(("in", "not_in"))), (0, 1), "segments"
    elif kind == "activity":
        cmp = draw(st.sampled_from(("within_days", "not_within_days", "empty", "not_empty")))
        field, values = f"activity.{draw(st.sampled_from((*ACTIVITIES, 'unheard_of')))}", DAYS
    elif kind == "consent":
        cmp, field = draw(st.sampled_from(("eq", "ne"))), f"consent.{draw(st.sampled_from(TOPICS))}"
        values = ("subscribed", "unsubscribed", "none")
    else:
        cmp, field, values = (
            draw(st.sampled_from(COMPARISONS[kind])),
            draw(st.sampled_from(FIELDS[kind])),
            VALUES[kind],
        )
        values = DAYS if "days" in cmp else values
    leaf = {"field": field, "cmp": cmp}
    if cmp in ("empty", "not_empty"):
        return leaf
    many = st.lists(st.sampled_from(values), min_size=1, max_size=3)
    if cmp == "between":
        many = st.lists(st.sampled_from(values), min_size=2, max_size=2)
    value = draw(many if cmp in ("in", "not_in", "between") else st.sampled_from(values))
    return leaf | {"value": value}


def trees(levels: int) -> st.SearchStrategy[dict[str, Any]]:
    if levels == 0:
        return leaves()
    below = trees(levels - 1)
    several = st.lists(below, min_size=1, max_size=3)
    return st.one_of(
        leaves(),
        st.builds(lambda op, children: {"op": op, "children": children}, st.sampled_from(("and", "or")), several),
        st.builds(lambda child: {"op": "not", "children": [child]}, below),
    )


def with_ids(rule: dict[str, Any], segments: tuple[str, ...]) -> dict[str, Any]:
    if "op" in rule:
        return rule | {"children": [with_ids(child, segments) for child in rule["children"]]}
    return rule | {"value": [segments[each] for each in rule["value"]]} if rule["field"] == "segments" else rule


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=trees(3))
def test_the_database_picks_whom_the_rule_means(market: Market, rule: dict[str, Any]) -> None:
    rule = with_ids(rule, market.segments)
    meant = {id_ for id_, contact in market.contacts.items() if picks(rule, contact, NOW)}
    assert market.picked(rule) == meant


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=200).filter(lambda text: "\x00" not in text and text.isprintable()))
def test_no_text_ever_becomes_part_of_a_statement(market: Market, text: str) -> None:
    """Whatever the value, the statement is the same."""
    for cmp in ("eq", "contains", "ends_with"):
        rules = [
            {"op": "and", "children": [{"field": "name", "cmp": cmp, "value": value}]} for value in (text, "plain")
        ]
        market.picked(rules[0])
        one, other = (market.compiled(rule) for rule in rules)
        assert one == other


LEAF = {"field": "score", "cmp": "eq", "value": 1}


def nested(levels: int) -> dict[str, Any]:
    return LEAF if levels == 0 else {"op": "not", "children": [nested(levels - 1)]}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ([], '`rules` must be {"op":'),
        ({"all": [LEAF]}, '`rules` must be {"op": "and" | "or" | "not", "children": […]} or {"field", "cmp", "value"}'),
        ({"field": "score", "value": 1}, "`rules.cmp` is missing"),
        ({"op": "xor", "children": [LEAF]}, "`rules.op` must be"),
        ({"op": "and", "children": []}, "`rules.children` must be"),
        ({"op": "not", "children": [LEAF, LEAF]}, "`rules.children` must be one"),
        ({"op": "and", "children": [LEAF], "sql": "1"}, "`rules.sql` is nothing that a group has"),
        ({"op": "and", "children": [LEAF, 7]}, "`rules.children.1` must be {"),
        (nested(6), "is nested deeper than 5 levels"),
        ({"op": "and", "children": [{"op": "or", "children": [LEAF] * 26}] * 2}, "`rules` has more than 50 conditions"),
        (LEAF | {"also": 1}, "`rules.also` is nothing that a condition has"),
        (LEAF | {"'; --": 1}, "`rules` is nothing that a condition has"),
        (LEAF | {"field": "deleted_at"}, "`rules.field` is nothing"),
        (LEAF | {"field": "email_norm) or (1=1"}, "`rules.field` is nothing"),
        (LEAF | {"field": "custom.unheard_of"}, "`rules.field` is nothing"),
        (LEAF | {"cmp": "contains"}, "`rules.cmp` cannot be used with a number"),
        (LEAF | {"cmp": "= 1 or 1="}, "`rules.cmp` cannot be used"),
        (LEAF | {"value": "1"}, "`rules.value` must be a number"),
        (LEAF | {"value": 1e300}, "`rules.value` must be a number"),
        (LEAF | {"cmp": "between", "value": [1]}, "`rules.value` must be two values"),
        (LEAF | {"cmp": "in", "value": list(range(201))}, "`rules.value` must be a list of 1 to 200 values"),
        (LEAF | {"cmp": "in", "value": [1, "x"]}, "`rules.value.1` must be a number"),
        ({"field": "name", "cmp": "eq", "value": "x" * 201}, "`rules.value` must be a text"),
        ({"field": "name", "cmp": "eq"}, "`rules.value` must be a text"),
        ({"field": "last_trade_at", "cmp": "gt", "value": "yesterday"}, "`rules.value` must be a time"),
        ({"field": "last_trade_at", "cmp": "within_days", "value": 0}, "`rules.value` must be a number of days"),
        ({"field": "bot_running", "cmp": "eq", "value": "true"}, "`rules.value` must be true or false"),
        ({"field": "segments", "cmp": "in", "value": ["x"]}, "`rules.value.0` must be the id"),
        ({"field": "consent.email", "cmp": "eq", "value": "yes"}, "`rules.value` must be subscribed"),
        ({"field": "activity.note", "cmp": "eq", "value": 1}, "`rules.cmp` cannot be used with activity.note"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(market: Market, rule: Any, said: str) -> None:
    previewed = market.ask("crm_preview_segment", rules=rule)
    assert previewed["outcome"] == "invalid"
    assert said in previewed["message"]
