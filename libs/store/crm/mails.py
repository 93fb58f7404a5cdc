"""The queue of what is sent to contacts (functions `crm_*`)."""

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.store.database import Database
from libs.store.rows import read_rows, read_value


class ClaimedMail(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    channel: Literal["email", "sms", "push", "webhook"]
    contact_id: UUID
    template_version_id: UUID
    class_: Literal["marketing", "transactional"] = msgspec.field(name="class")
    topic: str
    campaign_id: UUID | None
    subject: str
    data: dict[str, Any]
    attempts: int
    lapses: int
    contact: dict[str, Any]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a claimed one."""

    id: UUID
    outcome: Literal["sent", "retry", "failed", "skipped", "unknown"]
    error: str | None = None
    after: float = 0.0
    """Seconds until it may be tried again."""
    bounced: bool = False
    blameless: bool = False
    """It does not count as an attempt."""


class MailFigures(msgspec.Struct, frozen=True):
    waiting: int
    sending: int
    unknown: int
    late: float
    """Seconds the oldest has waited that is due."""


class Mails:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, claim: UUID, most: int, lease: float, pace: float, channels: Iterable[str]
    ) -> list[ClaimedMail]:
        """Those that may be sent now; they are this claim's for `lease` seconds."""
        data = await self._database.call(
            "crm_claim_mails", claim=str(claim), at_most=most, lease=lease, pace=pace, channels=list(channels)
        )
        return read_rows(data, ClaimedMail)

    async def hand_over(
        self, claim: UUID, results: Iterable[Result], following: Iterable[UUID], lease: float
    ) -> frozenset[UUID]:
        """Say what became of some, and which of the following may be handed over now: whoever does not say what became
        of them before `lease` seconds are over leaves it unknown."""
        data = await self._database.call(
            "crm_hand_over",
            claim=str(claim),
            results=msgspec.to_builtins(list(results)),
            following=[str(each) for each in following],
            lease=lease,
        )
        return read_value(data, frozenset[UUID])

    async def finish(self, claim: UUID, results: Iterable[Result]) -> int:
        """Say what became of some; how many were no longer this claim's."""
        told = msgspec.to_builtins(list(results))
        return read_value(await self._database.call("crm_finish_mails", claim=str(claim), results=told), int)

    async def figures(self) -> MailFigures:
        return read_value(await self._database.call("crm_mail_figures"), MailFigures)
