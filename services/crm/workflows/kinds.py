"""The kinds of nodes: what each is told, and which ways lead out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from services.crm.workflows import params as p

OUT, ERROR = "out", "error"
"""The handle of what has one way out, and the one of what went wrong (`on_error: error_handle`)."""


@dataclass(frozen=True, slots=True)
class Kind:
    params: type[p.Params]
    handles: Callable[[Any], tuple[str, ...]] = lambda _: (OUT,)
    """Of a node with such params."""
    waits: bool = False
    """Whether time passes in it, so that a cycle through it does not spin. Not `wait_until`: while its time lasts it
    lets everybody pass at once."""
    acts: bool = False
    """Whether it can fail, so that it may be tried again and have a way out for that."""
    outside: bool = False
    """Whether somebody else does it, whose result is waited for."""
    ends: bool = False


KINDS: Mapping[str, Kind] = {
    "trigger": Kind(p.EventMatch),
    "condition": Kind(p.Condition, lambda _: ("true", "false")),
    "switch": Kind(p.Switch, lambda switch: (*(case.id for case in switch.cases), "default")),
    "split": Kind(p.Split, lambda split: tuple(variant.id for variant in split.variants)),
    "delay": Kind(p.Delay, waits=True),
    "wait_until": Kind(p.WaitUntil),
    "wait_for_event": Kind(p.WaitForEvent, lambda _: ("event", "timeout"), waits=True),
    "send_email": Kind(p.SendEmail, acts=True, outside=True),
    "send_notification": Kind(p.SendNotification, acts=True),
    "update_contact": Kind(p.UpdateContact, acts=True),
    "add_tag": Kind(p.OfTag, acts=True),
    "remove_tag": Kind(p.OfTag, acts=True),
    "add_score": Kind(p.AddScore, acts=True),
    "add_to_segment": Kind(p.OfSegment, acts=True),
    "remove_from_segment": Kind(p.OfSegment, acts=True),
    "webhook": Kind(p.Webhook, acts=True, outside=True),
    "create_task": Kind(p.Task, acts=True),
    "create_note": Kind(p.Note, acts=True),
    "goal": Kind(p.Goal, lambda _: (), ends=True),
    "jump": Kind(p.Jump, lambda _: ()),
    "exit": Kind(p.Nothing, lambda _: (), ends=True),
}

DROPPED = frozenset(("group", "note", "annotation"))
"""Of the canvas alone: never part of what runs."""
_ALIASES = {"input": "trigger", "output": "exit", "email": "send_email", "notification": "send_notification"}
_TRIGGERS: Mapping[object, type[p.Params]] = {"schedule": p.Schedule, "webhook": p.Hook, "manual": p.Manual}
_HANDLES = {"condition": {"yes": "true", "no": "false"}}


def kind_of(data: Mapping[str, Any], type_: object) -> str:
    """The name of its kind, known or not: `data.kind`, or else the node's `type`; `sendEmail` is `send_email`."""
    named = data.get("kind") or type_
    if not isinstance(named, str):
        return "default"
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in named[:64]).lstrip("_")
    return _ALIASES.get(snake.replace("-", "_"), snake.replace("-", "_"))


def read_params(kind: str, raw: object) -> p.Params:
    """Raises msgspec.ValidationError."""
    type_ = KINDS[kind].params
    if kind == "trigger" and isinstance(raw, Mapping):
        event = raw.get("event")
        type_ = _TRIGGERS.get(event, type_) if isinstance(event, str) else type_
    return msgspec.convert(raw, type_)


def handle_of(kind: str, written: object) -> str:
    """Null, nothing and no name at all are the same: the only way out."""
    if not isinstance(written, str) or not written:
        return OUT
    return _HANDLES.get(kind, {}).get(written, written)
