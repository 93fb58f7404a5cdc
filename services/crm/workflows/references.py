"""What a node refers to, and whether that is there."""

from collections.abc import Iterator
from typing import Any

from services.crm.workflows import params as p
from services.crm.workflows import rules
from services.crm.workflows.graph import Known

_TOLD = frozenset((
    "email", "phone", "first_name", "last_name", "name", "locale", "timezone", "status", "score", "last_seen_at",
    "user_id", "fact.account_type", "fact.balance", "fact.bot_running", "fact.last_trade_at", "fact.losses",
    "fact.trades",
))  # fmt: skip
"""What `contact_updated` says may have changed, besides custom fields."""


def wrong_with(told: p.Params, known: Known) -> Iterator[tuple[str, str]]:
    """Code and message of each."""
    yield from _of_sending(told, known)
    segment = getattr(told, "segment_id", None)
    kind = known.segments.get(segment) if segment is not None else None
    if segment is not None and kind is None:
        yield "unknown_ref", f"there is no segment {segment}"
    if isinstance(told, p.OfSegment) and kind == "dynamic":
        yield "bad_params", f"segment {segment} has rules: nobody is put into it by hand"
    if isinstance(told, p.EventMatch):
        for name in told.fields:
            if not name.startswith(rules.CUSTOM) and name not in _TOLD:
                yield "unknown_ref", f"it is never told that {name} has changed"
    for name in _custom_fields(told):
        if name.removeprefix(rules.CUSTOM) not in known.custom_fields:
            yield "unknown_ref", f"there is no field {name}"
    segments = {str(each) for each in known.segments}
    for named in segments_in(told):
        if named not in segments:
            yield "unknown_ref", f"there is no segment {named}"


def _of_sending(told: p.Params, known: Known) -> Iterator[tuple[str, str]]:
    if isinstance(told, p.SendEmail) and told.template_id not in known.templates:
        yield "unknown_ref", f"there is no template {told.template_id} that can be sent"
    if isinstance(told, p.SendEmail) and told.mail_class == "marketing" and not told.topic:
        yield "marketing_without_consent", "marketing needs the `topic` that its readers have agreed to"
    if isinstance(told, p.Webhook) and told.webhook_id not in known.webhooks:
        yield "unknown_ref", f"there is no webhook {told.webhook_id}"


def _leaves(told: p.Params) -> Iterator[rules.Leaf]:
    written: list[Any] = []
    if isinstance(told, p.Condition):
        written = [told.rule]
    elif isinstance(told, p.Switch):
        written = [case.rule for case in told.cases]
    for rule in written:
        yield from rules.leaves(rules.parse(rule))


def _custom_fields(told: p.Params) -> Iterator[str]:
    fields = told.fields if isinstance(told, p.UpdateContact | p.EventMatch) else ()
    return (name for name in (*fields, *(leaf.field for leaf in _leaves(told))) if name.startswith(rules.CUSTOM))


def segments_in(told: p.Params) -> Iterator[str]:
    """Ids of those that conditions mention."""
    for leaf in _leaves(told):
        if leaf.field == "segments" and leaf.value is not None:
            yield from (str(value) for value in (leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)))
