"""What each kind of node is told, as its author writes it under `data.params`. Anything else in there is refused."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from msgspec import Meta, field

from libs.contracts.codec import Message
from libs.contracts.crm.workflows import EventType
from libs.contracts.pattern import END
from services.crm.workflows import rules
from services.crm.workflows.rules import Rule, Scalar

MOST_SECONDS = 400 * 86400
_EPOCH = datetime(2026, 1, 1)  # noqa: DTZ001 - only to see whether an expression can be read

Tag = Annotated[str, Meta(min_length=1, max_length=50)]
Handle = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,40}" + END)]
Words = Annotated[str, Meta(min_length=1, max_length=2000)]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Seconds = Annotated[int, Meta(ge=1, le=MOST_SECONDS)]
ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]" + END)]
Topic = Annotated[str, Meta(max_length=60, pattern=r"^[a-z0-9_-]*" + END)]


class Params(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Nothing(Params, frozen=True, kw_only=True):
    pass


class EventMatch(Params, frozen=True, kw_only=True):
    """Which events: of one type, and of these all for which everything else holds that is said here."""

    event: EventType
    fields: Annotated[tuple[Short, ...], Meta(max_length=50)] = ()
    """Of `contact_updated`: any of these has changed; without, anything but trading facts (`fact.…`)."""
    tag: Annotated[str, Meta(max_length=50)] = ""
    segment_id: UUID | None = None
    losses: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Of `losses_in_a_row`: at least so many."""
    where: Annotated[dict[Short, Scalar], Meta(max_length=10)] = field(default_factory=dict)
    """What the event's data says."""

    _OF: ClassVar[dict[str, tuple[str, ...]]] = {
        "fields": ("contact_updated",),
        "tag": ("tag_added", "tag_removed"),
        "segment_id": ("segment_entered", "segment_left"),
        "losses": ("losses_in_a_row",),
    }

    def __post_init__(self) -> None:
        for name, events in self._OF.items():
            if getattr(self, name) and self.event not in events:
                raise ValueError(f"`{name}` is only of {' and '.join(events)}")

    def _is_meant(self, changed: Iterable[str]) -> bool:
        """A trader's facts change with every trade: they count where they are named."""
        if self.fields:
            return not set(self.fields).isdisjoint(changed)
        return any(not name.startswith("fact.") for name in changed)

    def matches(self, event: str, data: dict[str, Any]) -> bool:
        return (
            event == self.event
            and (self.event != "contact_updated" or self._is_meant(data.get("fields") or ()))
            and (not self.tag or str(data.get("tag", "")).casefold() == self.tag.casefold())
            and (self.segment_id is None or data.get("segment") == str(self.segment_id))
            and (not self.losses or int(data.get("losses") or 0) >= self.losses)
            and all(data.get(key) == value for key, value in self.where.items())
        )


class Schedule(Params, frozen=True, kw_only=True):
    """For everybody who is in the segment when the time comes."""

    event: Literal["schedule"]
    cron: Annotated[str, Meta(max_length=100)]
    """Five fields: minute, hour, day of the month, month, day of the week."""
    zone: str = "UTC"
    segment_id: UUID

    def __post_init__(self) -> None:
        _zone(self.zone, "zone")
        try:
            CronSim(self.cron, _EPOCH)
        except CronSimError as error:
            raise ValueError(f"`cron` cannot be read: {error}") from None

    def next_after(self, time: datetime) -> datetime | None:
        """None: it never comes (again). Of an hour that a change of clocks skips, the next that there is; of one that
        comes twice, the first."""
        return next(CronSim(self.cron, time.astimezone(ZoneInfo(self.zone))), None)


class Hook(Params, frozen=True, kw_only=True):
    """A signed call from outside. The contact is the one whose address the call's body has there."""

    event: Literal["webhook"]
    email_field: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,40}(\.[A-Za-z0-9_]{1,40}){0,4}" + END)] = "email"


class Manual(Params, frozen=True, kw_only=True):
    """Only when somebody says so."""

    event: Literal["manual"]


TriggerParams = EventMatch | Schedule | Hook | Manual


class Condition(Params, frozen=True, kw_only=True):
    rule: Any

    def __post_init__(self) -> None:
        rules.parse(self.rule)

    @property
    def parsed(self) -> Rule:
        return rules.parse(self.rule)


class Case(Params, frozen=True, kw_only=True):
    id: Handle
    rule: Any

    def __post_init__(self) -> None:
        rules.parse(self.rule)
        if self.id == "default":
            raise ValueError("`id` cannot be default: that is for what no case holds of")


class Switch(Params, frozen=True, kw_only=True):
    """The first case that holds."""

    cases: Annotated[tuple[Case, ...], Meta(min_length=1, max_length=20)]

    def __post_init__(self) -> None:
        _once([case.id for case in self.cases], "cases")


class Variant(Params, frozen=True, kw_only=True):
    id: Handle
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1


class Split(Params, frozen=True, kw_only=True):
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2, max_length=10)]

    def __post_init__(self) -> None:
        _once([variant.id for variant in self.variants], "variants")


class Delay(Params, frozen=True, kw_only=True):
    seconds: Seconds


class WaitUntil(Params, frozen=True, kw_only=True):
    """Until a time; or until it is between two times of the day, on one of these days, where the contact lives."""

    at: datetime | None = None
    after: ClockTime | None = None
    before: ClockTime | None = None
    weekdays: Annotated[tuple[Annotated[int, Meta(ge=1, le=7)], ...], Meta(max_length=7)] = ()
    """1 is Monday; without any, every day."""
    zone: str = "contact"
    """An IANA zone, or the contact's own, and UTC where that is not known."""

    def __post_init__(self) -> None:
        if (self.at is None) == (self.after is None or self.before is None):
            raise ValueError("`at` is needed, or `after` and `before`")
        if self.at is not None and (self.after or self.before or self.weekdays):
            raise ValueError("`at` goes without `after`, `before` and `weekdays`")
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("`at` needs its zone")
        if self.after is not None and self.before is not None and self.after >= self.before:
            raise ValueError("`before` must be later on the day than `after`")
        if self.zone != "contact":
            _zone(self.zone, "zone")


class WaitForEvent(EventMatch, frozen=True, kw_only=True):
    timeout_seconds: Seconds


class SendEmail(Params, frozen=True, kw_only=True):
    template_id: UUID
    mail_class: Literal["marketing", "transactional"] = field(default="marketing", name="class")
    topic: Topic = ""
    """Of the contact's consent; needed for marketing."""


class SendNotification(Params, frozen=True, kw_only=True):
    """In the app, to the user that the contact is."""

    title: Short
    body: Words


class UpdateContact(Params, frozen=True, kw_only=True):
    """Columns by name, and `custom.<key>`."""

    fields: Annotated[dict[Short, Scalar | None], Meta(min_length=1, max_length=20)]

    _COLUMNS: ClassVar = {"first_name", "last_name", "name", "locale", "timezone", "source", "status"}
    _STATUSES: ClassVar = ("lead", "prospect", "customer", "inactive", "churned")

    def __post_init__(self) -> None:
        for name, value in self.fields.items():
            if name.startswith(rules.CUSTOM):
                continue
            if name not in self._COLUMNS:
                raise ValueError(f"`fields`: {name} cannot be set")
            if value is not None and not isinstance(value, str):
                raise ValueError(f"`fields`: {name} is text")
            if name == "status" and value not in self._STATUSES:
                raise ValueError(f"`fields`: status is one of {', '.join(self._STATUSES)}")
            if name == "timezone" and value:
                _zone(str(value), "fields")


class OfTag(Params, frozen=True, kw_only=True):
    tag: Tag


class AddScore(Params, frozen=True, kw_only=True):
    points: Annotated[int, Meta(ge=-1000, le=1000)]


class OfSegment(Params, frozen=True, kw_only=True):
    """A static one."""

    segment_id: UUID


class Webhook(Params, frozen=True, kw_only=True):
    """One of those that are set up: where it goes and what it is signed with is not written into flows."""

    webhook_id: UUID
    payload: Annotated[dict[Short, Scalar], Meta(max_length=50)] = field(default_factory=dict)


class Task(Params, frozen=True, kw_only=True):
    """In the contact's timeline."""

    text: Words
    due_in_seconds: Seconds | None = None


class Note(Params, frozen=True, kw_only=True):
    text: Words


class Goal(Params, frozen=True, kw_only=True):
    name: Annotated[str, Meta(max_length=100)] = ""


class Jump(Params, frozen=True, kw_only=True):
    to: Annotated[str, Meta(min_length=1, max_length=64)]
    """The id of a node."""


def _zone(name: str, where: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{where}`: there is no time zone {name[:60]}") from None


def _once(ids: list[str], where: str) -> None:
    if len(set(ids)) != len(ids):
        raise ValueError(f"`{where}`: an id is there twice")
