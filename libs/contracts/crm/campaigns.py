"""What is sent to a segment (api-contract §3.18), and how far it is."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from msgspec import UNSET, Meta, UnsetType, field

from libs.contracts.admin import Cursor, Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Gone, ListQuery, Name, Of, OfBy, Tag, Topic
from libs.contracts.crm.contacts import TimeZone, Version
from libs.contracts.rpc import Endpoint, ErrorCode

CampaignChannel = Literal["email", "sms", "push", "webhook"]
CampaignStatus = Literal["draft", "scheduled", "sending", "sent", "paused", "cancelled", "failed"]
Metric = Literal["clicked", "opened", "manual"]
Subject = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00\r\n]*$")]
Subjects = Annotated[tuple[Subject, ...], Meta(max_length=5)]
Excluded = Annotated[tuple[UUID, ...], Meta(max_length=20)]
Share = Annotated[int, Meta(ge=1, le=100)]
Seconds = Annotated[float, Meta(ge=0, le=30 * 86400)]
PerHour = Annotated[int, Meta(ge=1, le=10_000_000)]


class WarmUp(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So that who receives mails gets to know their sender slowly."""

    first_day: Annotated[int, Meta(ge=1, le=1_000_000)]
    """Recipients in the first 24 hours…"""
    growth: Annotated[float, Meta(ge=1, le=10)] = 2.0
    """…and how many times as many in each 24 hours after them."""


class Conversion(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What recipients are to do; of one that says more of an event, only such events count."""

    event: Literal["signed_up", "first_deposit", "bot_started", "form_submitted", "tag_added", "segment_entered"]
    """Of those that happen to contacts."""
    within_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """From the moment their mail was handed over."""
    account_type: Literal["demo", "real"] | UnsetType = UNSET
    """Of `bot_started`."""
    form_id: UUID | UnsetType = UNSET
    """Of `form_submitted`."""
    tag: Tag | UnsetType = UNSET
    """Of `tag_added`, which needs one…"""
    segment_id: UUID | UnsetType = UNSET
    """…as `segment_entered` needs a segment."""

    _OF: ClassVar[dict[str, str]] = {
        "account_type": "bot_started", "form_id": "form_submitted", "tag": "tag_added", "segment_id": "segment_entered",
    }  # fmt: skip
    _NEEDED: ClassVar[tuple[str, ...]] = ("tag", "segment_id")

    def __post_init__(self) -> None:
        for name, event in self._OF.items():
            given = getattr(self, name) is not UNSET
            if given and self.event != event:
                raise ValueError(f"Only {event} has what is in `{name}`")
            if not given and self.event == event and name in self._NEEDED:
                raise ValueError(f"{event} needs to know which: say it in `{name}`")


class NewCampaign(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    channel: CampaignChannel = "email"
    template_id: UUID
    """It is sent as it is when the campaign starts."""
    segment_id: UUID
    """Who is in it when the campaign starts…"""
    excluded_segments: Excluded = ()
    """…and in none of these."""
    topic: Topic = "*"
    """Of the consent that is needed."""
    subjects: Subjects = ()
    """Two to five are tried against each other; without any, the template's is written."""
    test_share: Share = 100
    """Percent of the recipients that they are tried on; the others get the best."""
    winner_metric: Metric = "clicked"
    """What the best is best in, of those sent; `manual`: somebody says."""
    decide_after: Seconds = 14400.0
    """From the last mail of the trial until the best is chosen."""
    per_hour: PerHour | None = None
    """Recipients whose turn comes in an hour, at most…"""
    per_domain_hour: PerHour | None = None
    """…and mails to one domain."""
    warm_up: WarmUp | None = None
    conversion: Conversion | None = None
    """What it is for."""

    def __post_init__(self) -> None:
        _check_subjects(self.subjects)


class CampaignChange(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Before it starts; what is left out stays."""

    version: Version | None = None
    """That was seen; if there is another one meanwhile, nothing is changed."""
    name: Name | UnsetType = UNSET
    channel: CampaignChannel | UnsetType = UNSET
    template_id: UUID | UnsetType = UNSET
    segment_id: UUID | UnsetType = UNSET
    excluded_segments: Excluded | UnsetType = UNSET
    topic: Topic | UnsetType = UNSET
    subjects: Subjects | UnsetType = UNSET
    test_share: Share | UnsetType = UNSET
    winner_metric: Metric | UnsetType = UNSET
    decide_after: Seconds | UnsetType = UNSET
    per_hour: PerHour | UnsetType | None = UNSET
    per_domain_hour: PerHour | UnsetType | None = UNSET
    warm_up: WarmUp | UnsetType | None = UNSET
    conversion: Conversion | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        if self.subjects is not UNSET:
            _check_subjects(self.subjects)


class Progress(Message, frozen=True, kw_only=True):
    """Contacts. Of those that are neither waiting nor skipped, each has one mail."""

    recipients: int = 0
    """Frozen when it started."""
    waiting: int = 0
    """For their turn."""
    queued: int = 0
    """In the queue of mails, or with a sender."""
    skipped: int = 0
    """Not written to: no consent, suppressed, written to often enough, …"""
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    """Handed over, perhaps: their sender died, and they are not tried again."""
    delivered: int = 0
    """Sent, and not come back."""
    opened: int = 0
    machine_opened: int = 0
    """By programs that look at mails before people do."""
    clicked: int = 0
    machine_clicked: int = 0
    bounced: int = 0
    hard_bounced: int = 0
    """Of these, for good: there is no such address."""
    complained: int = 0
    unsubscribed: int = 0
    converted: int = 0
    """Sent, and did what the campaign is for in time."""


class Campaign(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    channel: CampaignChannel
    template_id: UUID
    segment_id: UUID
    excluded_segments: tuple[UUID, ...] = ()
    topic: str = "*"
    subjects: tuple[str, ...] = ()
    test_share: int = 100
    winner_metric: Metric = "clicked"
    decide_after: float = 14400.0
    per_hour: int | None = None
    per_domain_hour: int | None = None
    warm_up: WarmUp | None = None
    conversion: Conversion | None = None
    status: CampaignStatus
    why: str | None = None
    """It is paused or has failed by itself: bounces, complaints, failures; missed (its time was long ago), template or
    segment (which were no longer there)."""
    scheduled_at: datetime | None = None
    timezone: str = "UTC"
    template_version_id: UUID | None = None
    winner: int | None = None
    """Place of the best subject, from 0 on."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stats: Progress = Progress()
    """As last counted."""
    created_by: str = ""
    version: int = 1
    created_at: datetime
    updated_at: datetime


class CampaignProgress(Progress, frozen=True, kw_only=True):
    """News for operators: a campaign is another, or further."""

    id: UUID
    name: str
    status: CampaignStatus
    why: str | None
    at: datetime


class CampaignsQuery(ListQuery, frozen=True, kw_only=True, rename="camel"):
    status: CampaignStatus | None = None


class CreateCampaign(By, frozen=True, kw_only=True):
    campaign: NewCampaign


class ChangeCampaign(OfBy, frozen=True, kw_only=True):
    change: CampaignChange


class Schedule(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at: datetime
    """With an offset; without one, as clocks of the time zone show it."""
    timezone: TimeZone = "UTC"
    """Such as America/Sao_Paulo."""

    def __post_init__(self) -> None:
        if self.timezone not in available_timezones():
            raise ValueError("Expected a time zone such as America/Sao_Paulo in `timezone`")

    @property
    def moment(self) -> datetime:
        return self.at if self.at.tzinfo is not None else self.at.replace(tzinfo=ZoneInfo(self.timezone))


class ScheduleCampaign(OfBy, frozen=True, kw_only=True):
    schedule: Schedule


class Choice(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    subject: Annotated[int, Meta(ge=0, le=4)]
    """Its place, from 0 on."""


class ChooseSubject(OfBy, frozen=True, kw_only=True):
    subject: int


class Variant(Message, frozen=True, kw_only=True):
    variant: int
    subject: str | None
    sent: int
    opened: int
    clicked: int
    converted: int


class CampaignStats(Progress, frozen=True, kw_only=True):
    why: dict[str, int] = field(default_factory=dict)
    """Of the skipped and failed, how many for which reason."""
    variants: tuple[Variant, ...] = ()


class Preflight(Message, frozen=True, kw_only=True):
    """As it would be if it started now."""

    recipients: int
    reached: int
    """Of them, if nobody has had enough of others meanwhile."""
    why: dict[str, int]
    """Of the others, how many for which reason."""
    missing: dict[str, int]
    """By tag of the template, such as `contact.first_name`, of how many recipients nothing is known that it stands for:
    they get its default, or nothing there."""


class RecipientsQuery(Of, frozen=True, kw_only=True, rename="camel"):
    state: Literal["waiting", "queued", "skipped"] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor = ""


class Recipient(Message, frozen=True, kw_only=True):
    contact_id: UUID
    state: Literal["waiting", "queued", "skipped"]
    """Queued: it has a mail, of which `mail` tells."""
    why: str | None
    variant: int | None
    mail: Literal["queued", "sending", "sent", "failed", "skipped", "unknown"] | None
    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    bounced_at: datetime | None


_NOT_FOUND, _CONFLICT = ErrorCode.NOT_FOUND, ErrorCode.CONFLICT
_BOTH = (_NOT_FOUND, _CONFLICT)

CAMPAIGNS = Endpoint("crm", "campaigns", CampaignsQuery, Rows[Campaign])
CAMPAIGN = Endpoint("crm", "campaign", Of, Campaign, (_NOT_FOUND,))
CREATE_CAMPAIGN = Endpoint("crm", "create_campaign", CreateCampaign, Campaign)
CHANGE_CAMPAIGN = Endpoint("crm", "change_campaign", ChangeCampaign, Campaign, _BOTH)
DROP_CAMPAIGN = Endpoint("crm", "drop_campaign", OfBy, Gone, _BOTH)
SCHEDULE_CAMPAIGN = Endpoint("crm", "schedule_campaign", ScheduleCampaign, Campaign, _BOTH)
SEND_CAMPAIGN = Endpoint("crm", "send_campaign", OfBy, Campaign, _BOTH, timeout=30.0)
PAUSE_CAMPAIGN = Endpoint("crm", "pause_campaign", OfBy, Campaign, _BOTH, timeout=15.0)
RESUME_CAMPAIGN = Endpoint("crm", "resume_campaign", OfBy, Campaign, _BOTH, timeout=15.0)
CANCEL_CAMPAIGN = Endpoint("crm", "cancel_campaign", OfBy, Campaign, _BOTH, timeout=15.0)
CHOOSE_SUBJECT = Endpoint("crm", "choose_subject", ChooseSubject, Campaign, _BOTH)
CAMPAIGN_STATS = Endpoint("crm", "campaign_stats", Of, CampaignStats, (_NOT_FOUND,))
PREFLIGHT = Endpoint("crm", "campaign_preflight", Of, Preflight, (_NOT_FOUND,), timeout=15.0)
RECIPIENTS = Endpoint("crm", "campaign_recipients", RecipientsQuery, Rows[Recipient], (_NOT_FOUND,))


def _check_subjects(subjects: tuple[str, ...]) -> None:
    if len(subjects) == 1:
        raise ValueError("Expected two to five, or none, in `subjects`")
