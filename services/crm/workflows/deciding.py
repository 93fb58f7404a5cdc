"""What a node decides, of what is known of the run and its contact. Nothing here asks anybody or changes anything."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from libs.contracts.crm.workflow_runs import Waits
from libs.store.crm.runs import Due
from services.crm.workflows import params as p
from services.crm.workflows import rules
from services.crm.workflows.graph import Node
from services.crm.workflows.kinds import OUT


class Go(NamedTuple):
    """On, by this way."""

    handle: str
    output: Mapping[str, Any] = {}
    skipped: str = ""
    """Why what it was to bring about was not done."""


class Wait(NamedTuple):
    waits: Waits
    until: datetime | None
    """At most. None: it is looked at once more, after the commit."""
    event: str = ""


class Act(NamedTuple):
    """This is done, in the same commit; if somebody else does it, until then its result is waited for."""

    effect: Mapping[str, Any]
    until: datetime | None = None


class Fail(NamedTuple):
    error: str
    final: bool = False
    """Whether it is known neither to be done nor not to be, so that it must not be tried again."""


class End(NamedTuple):
    outcome: str
    output: Mapping[str, Any] = {}


Decision = Go | Wait | Act | Fail | End


def facts_of(due: Due) -> Mapping[str, Any]:
    """Of the contact, and of the event that began the run."""
    return {**(due.facts or {}), **{rules.EVENT + str(name): value for name, value in due.event.items()}}


def entered(node: Node, told: p.Params, due: Due) -> Decision:
    match told:
        case p.EventMatch() if node.kind != "trigger":
            return Wait("event", None, told.event)
        case p.EventMatch() | p.Schedule() | p.Hook() | p.Manual() | p.Jump():
            return Go(OUT)
        case p.Condition() | p.Switch() | p.Split():
            return Go(_branch(node, told, due))
        case p.Delay():
            return Wait("time", due.now + timedelta(seconds=told.seconds))
        case p.WaitUntil():
            opens = opening(told, due.now, due.facts or {})
            return Go(OUT) if opens is None else Wait("time", opens)
        case p.SendEmail() | p.Webhook():
            return Act(effect_of(node, told), due.now + timedelta(seconds=node.handling.timeout_seconds))
        case p.Goal():
            return End("goal", {"goal": told.name})
        case p.Nothing():
            return End("exit")
    return Act(effect_of(node, told))


def digest_of(node: Node, told: p.Params, due: Due, again: bool) -> str:
    """Of what the node is told and of what it decides by, but for the time: 16 hex digits. `again`: as `resumed`."""
    given = {
        "kind": node.kind, "params": node.params, "template": node.template_version,
        "asked": _asked(node, told, due), "found": due.found if again else None,
    }  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(given, order="deterministic")).hexdigest()[:16]


def _asked(node: Node, told: p.Params, due: Due) -> dict[str, Any]:
    """Of what is known of the run and its contact what the node asks for."""
    match told:
        case p.Condition():
            asked = [leaf.field for leaf in rules.leaves(told.parsed)]
        case p.Switch():
            asked = [leaf.field for case in told.cases for leaf in rules.leaves(rules.parse(case.rule))]
        case p.WaitUntil():
            asked = ["timezone"] if told.zone == "contact" else []
        case p.Split():
            return {"run": due.run}
        case _:
            return due.event if node.kind == "trigger" else {}
    facts = facts_of(due)
    return {name: facts.get(name) for name in asked}


def _branch(node: Node, told: p.Condition | p.Switch | p.Split, due: Due) -> str:
    if isinstance(told, p.Split):
        return variant_of(told, str(due.run), node.id)
    facts = facts_of(due)
    if isinstance(told, p.Condition):
        return "true" if rules.holds(told.parsed, facts, due.now) else "false"
    return next((case.id for case in told.cases if rules.holds(rules.parse(case.rule), facts, due.now)), "default")


def resumed(told: p.Params, due: Due) -> Decision:
    """At a node where it waited for time, an event or a result."""
    match told:
        case p.WaitUntil():
            opens = opening(told, max(due.now, due.due_at), due.facts or {})
            return Go(OUT) if opens is None else Wait("time", opens)
        case p.WaitForEvent():
            came = next((data for data in due.found or () if told.matches(told.event, data)), None)
            until = due.entered_at + timedelta(seconds=told.timeout_seconds)
            if came is not None:
                return Go("event", {"event": told.event})
            # The timer may go by a clock that is a little ahead.
            return Go("timeout") if due.now + timedelta(seconds=1) >= until else Wait("event", until, told.event)
        case p.SendEmail() | p.Webhook():
            return _with_result(due)
    return Go(OUT)


def _with_result(due: Due) -> Decision:
    """Of which nobody knows whether it was sent (`unknown`) counts as sent: it is never sent again."""
    if not due.found:
        return Fail("nobody told in time what became of it", final=True)
    outcome, why = due.found[0].get("outcome"), str(due.found[0].get("error") or "")
    if outcome == "failed":
        return Fail(why or "it could not be sent")
    return Go(OUT, {"result": outcome}, skipped=why or "skipped" if outcome == "skipped" else "")


def effect_of(node: Node, told: p.Params) -> dict[str, Any]:
    """As `private.crm_workflow_act` does it."""
    effect: dict[str, Any] = {"do": node.kind, **msgspec.to_builtins(told)}
    if isinstance(told, p.SendEmail):
        effect["template_version"] = str(node.template_version)
    elif isinstance(told, p.Webhook):
        effect["node"] = node.id
    return effect


def variant_of(split: p.Split, run: str, node: str) -> str:
    """The same for the same run and node, whoever asks."""
    place = int.from_bytes(hashlib.sha256(f"{run}|{node}".encode()).digest()[:8])
    left = place % sum(variant.weight for variant in split.variants)
    for variant in split.variants:
        left -= variant.weight
        if left < 0:
            return variant.id
    raise ValueError("no variant has any weight")


def opening(told: p.WaitUntil, now: datetime, facts: Mapping[str, Any]) -> datetime | None:
    """When its time comes; None: it is now."""
    if told.at is not None:
        return told.at if told.at > now else None
    zone = _zone(told.zone if told.zone != "contact" else str(facts.get("timezone") or "UTC"))
    local = now.astimezone(zone)
    after, before = str(told.after), str(told.before)
    if _is_day(told, local) and after <= local.strftime("%H:%M") < before:
        return None
    hour, minute = int(after[:2]), int(after[3:])
    for days in range(9):
        day = local.date() + timedelta(days=days)
        begins = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        if _is_day(told, begins) and begins.astimezone(UTC) > now:
            return begins.astimezone(UTC)
    raise ValueError("no day of the week is one of its weekdays")


def _is_day(told: p.WaitUntil, local: datetime) -> bool:
    return not told.weekdays or local.isoweekday() in told.weekdays


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
