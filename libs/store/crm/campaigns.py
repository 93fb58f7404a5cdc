"""Campaigns and their recipients (functions `crm_*` of the database)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.campaigns import Campaign, CampaignsQuery, CampaignStats, CampaignStatus, Preflight, Recipient
from libs.store.database import Database
from libs.store.rows import read_optional, read_value

Verb = Literal["schedule", "send", "pause", "resume", "cancel"]


class CampaignOutcome(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "not_found", "conflict", "invalid"]
    """`conflict`: it is of another version or, as the message says, in a state in which that cannot be."""
    message: str | None = None
    campaign: Campaign | None = None


class CampaignPage(msgspec.Struct, frozen=True):
    rows: tuple[Campaign, ...]
    total: int


class RecipientPage(msgspec.Struct, frozen=True):
    rows: tuple[Recipient, ...]
    total: int


class Tended(msgspec.Struct, frozen=True, kw_only=True):
    """What a step did."""

    released: int
    """Recipients whose turn came."""
    status: CampaignStatus
    idle: float
    """Seconds in which nothing was sent of what is due."""


class Campaigns:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, query: CampaignsQuery) -> CampaignPage:
        data = await self._database.call(
            "crm_find_campaigns",
            search=query.search.strip() or None,
            of_status=query.status,
            at_most=query.limit,
            skipped=query.offset,
        )
        return read_value(data, CampaignPage)

    async def one(self, campaign: UUID) -> Campaign | None:
        return read_optional(await self._database.call("crm_one_campaign", campaign=str(campaign)), Campaign)

    async def save(
        self, campaign: UUID | None, given: Mapping[str, Any], by: str, expected: int | None = None
    ) -> CampaignOutcome:
        """A new one without `campaign`; of another what is given."""
        data = await self._database.call(
            "crm_save_campaign",
            campaign=str(campaign) if campaign else None,
            given=dict(given),
            expected=expected,
            actor=by,
        )
        return read_value(data, CampaignOutcome)

    async def drop(self, campaign: UUID, by: str) -> CampaignOutcome:
        data = await self._database.call("crm_drop_campaign", campaign=str(campaign), actor=by)
        return read_value(data, CampaignOutcome)

    async def move(
        self, campaign: UUID, verb: Verb, by: str, at: datetime | None = None, zone: str = "UTC"
    ) -> CampaignOutcome:
        data = await self._database.call(
            "crm_move_campaign",
            campaign=str(campaign),
            verb=verb,
            at=at.isoformat() if at else None,
            zone=zone,
            actor=by,
        )
        return read_value(data, CampaignOutcome)

    async def choose(self, campaign: UUID, subject: int, by: str) -> CampaignOutcome:
        data = await self._database.call("crm_choose_subject", campaign=str(campaign), chosen=subject, actor=by)
        return read_value(data, CampaignOutcome)

    async def stats(self, campaign: UUID) -> CampaignStats | None:
        return read_optional(await self._database.call("crm_campaign_stats", campaign=str(campaign)), CampaignStats)

    async def preflight(self, campaign: UUID) -> Preflight | None:
        return read_optional(await self._database.call("crm_campaign_preflight", campaign=str(campaign)), Preflight)

    async def recipients(
        self, campaign: UUID, state: str | None, limit: int, behind: UUID | None
    ) -> RecipientPage | None:
        """By contact; None: there is no such campaign."""
        data = await self._database.call(
            "crm_recipients_of",
            campaign=str(campaign),
            of_state=state,
            at_most=limit,
            behind=str(behind) if behind else None,
        )
        return read_optional(data, RecipientPage)

    async def due(self, done_since: float) -> tuple[UUID, ...]:
        """Those that have something to do, or ended less than so many seconds ago."""
        data = await self._database.call("crm_campaigns_due", done_since=done_since)
        return read_value(data, tuple[UUID, ...])

    async def tend(self, campaign: UUID, most: int, grace: float) -> Tended | None:
        """One step: it starts, up to so many recipients are released, it is decided, stopped or ended. One that should
        have started more than `grace` seconds ago does not. None: it is gone."""
        data = await self._database.call("crm_tend_campaign", campaign=str(campaign), at_most=most, grace=grace)
        return read_optional(data, Tended)
