"""What a contact is worth: points for what happens, written in a ledger."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, field

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Gone, Name, Of, OfBy
from libs.contracts.crm.events import EventType
from libs.contracts.rpc import Endpoint, ErrorCode
from libs.contracts.rpc import Nothing as Empty

Points = Annotated[int, Meta(ge=-100, le=100)]


class NewScoringRule(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    event: EventType
    filter: Annotated[dict[str, Any], Meta(max_length=20)] = field(default_factory=dict)
    """What the event's `data` must contain."""
    delta: Points
    cap_per_day: Annotated[int, Meta(ge=1, le=1000)] | None = None
    """So often in 24 hours at most."""
    repeatable: bool = True
    """Whether it counts more than once for a contact."""
    half_life_days: Annotated[int, Meta(ge=1, le=3650)] | None = None
    """After so many days points count half; None: they stay."""
    active: bool = True

    def __post_init__(self) -> None:
        if self.delta == 0:
            raise ValueError("Expected points, not 0, in `delta`")
        if self.event is EventType.SCORE_CHANGED:
            raise ValueError("Expected an event that is not made by scores in `event`")


class ScoringRule(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    event: str
    filter: dict[str, Any]
    delta: int
    cap_per_day: int | None
    repeatable: bool
    half_life_days: int | None
    active: bool
    created_at: datetime
    updated_at: datetime


class MakeRule(By, frozen=True, kw_only=True):
    rule: NewScoringRule


class ChangeRule(OfBy, frozen=True, kw_only=True):
    rule: NewScoringRule


class ScoreEntry(Message, frozen=True, kw_only=True):
    id: UUID
    rule_id: UUID | None
    rule: str | None
    """None: a correction, or a workflow's."""
    source_event: str
    delta: int
    half_life_days: int | None
    at: datetime


class Scores(Message, frozen=True, kw_only=True):
    score: int
    """The sum of all entries, from 0 to 100."""
    entries: tuple[ScoreEntry, ...]
    """The newest 200."""


class Thresholds(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scores whose crossing upwards is told (`score_changed`, `data.threshold`)."""

    scores: Annotated[tuple[Annotated[int, Meta(ge=1, le=100)], ...], Meta(max_length=20)]


class SetThresholds(By, frozen=True, kw_only=True):
    scores: tuple[int, ...]


_NOT_FOUND = (ErrorCode.NOT_FOUND,)

RULES = Endpoint("crm", "scoring_rules", Empty, Rows[ScoringRule])
MAKE_RULE = Endpoint("crm", "make_scoring_rule", MakeRule, ScoringRule)
CHANGE_RULE = Endpoint("crm", "change_scoring_rule", ChangeRule, ScoringRule, _NOT_FOUND)
DROP_RULE = Endpoint("crm", "drop_scoring_rule", OfBy, Gone, _NOT_FOUND)
SCORES = Endpoint("crm", "scores", Of, Scores, _NOT_FOUND)
THRESHOLDS = Endpoint("crm", "score_thresholds", Empty, Thresholds)
SET_THRESHOLDS = Endpoint("crm", "set_score_thresholds", SetThresholds, Thresholds)
