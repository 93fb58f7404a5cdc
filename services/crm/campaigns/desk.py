"""Campaigns as administrators make and move them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from libs.contracts.admin import Rows
from libs.contracts.clock import Clock
from libs.contracts.crm import campaigns as rpc
from libs.contracts.crm.common import Gone, Of, OfBy
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.campaigns import CampaignOutcome, Campaigns, Verb
from libs.store.cursors import BadCursor, read_cursor, write_cursor
from services.crm.answering import Answer, not_found
from services.crm.contacts.desk import bad_cursor

_LATE = timedelta(minutes=1)
"""What a clock may be behind ours."""


class _Behind(msgspec.Struct, frozen=True, array_like=True):
    """Whom a page begins behind."""

    contact: UUID


class CampaignDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(self, campaigns: Campaigns, clock: Clock, moved: Callable[[], None]) -> None:
        """`moved()`: a campaign may have something to do."""
        self._campaigns = campaigns
        self._clock = clock
        self._moved = moved

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.CAMPAIGNS: self.find,
            rpc.CAMPAIGN: self.one,
            rpc.CREATE_CAMPAIGN: self.create,
            rpc.CHANGE_CAMPAIGN: self.change,
            rpc.DROP_CAMPAIGN: self.drop,
            rpc.SCHEDULE_CAMPAIGN: self.schedule,
            rpc.SEND_CAMPAIGN: self._moving("send"),
            rpc.PAUSE_CAMPAIGN: self._moving("pause"),
            rpc.RESUME_CAMPAIGN: self._moving("resume"),
            rpc.CANCEL_CAMPAIGN: self._moving("cancel"),
            rpc.CHOOSE_SUBJECT: self.choose,
            rpc.CAMPAIGN_STATS: self.stats,
            rpc.PREFLIGHT: self.preflight,
            rpc.RECIPIENTS: self.recipients,
        }

    async def find(self, query: rpc.CampaignsQuery) -> Rows[rpc.Campaign]:
        """The newest first."""
        page = await self._campaigns.find(query)
        return Rows(rows=page.rows, total=page.total)

    async def one(self, query: Of) -> rpc.Campaign:
        campaign = await self._campaigns.one(query.id)
        if campaign is None:
            raise not_found("campaign")
        return campaign

    async def create(self, request: rpc.CreateCampaign) -> rpc.Campaign:
        return _campaign_of(await self._campaigns.save(None, msgspec.to_builtins(request.campaign), request.by))

    async def change(self, request: rpc.ChangeCampaign) -> rpc.Campaign:
        given = msgspec.to_builtins(request.change)
        return _campaign_of(await self._campaigns.save(request.id, given, request.by, given.pop("version")))

    async def drop(self, request: OfBy) -> Gone:
        dropped = await self._campaigns.drop(request.id, request.by)
        if dropped.outcome != "done":
            _campaign_of(dropped)
        return Gone(id=request.id)

    async def schedule(self, request: rpc.ScheduleCampaign) -> rpc.Campaign:
        at, zone = request.schedule.moment, request.schedule.timezone
        if at < self._clock.now() - _LATE:
            raise RpcError(ErrorCode.INVALID_REQUEST, "`at` is over")
        return await self._move(request.id, "schedule", request.by, at=at, zone=zone)

    def _moving(self, verb: Verb) -> Answer:
        async def move(request: OfBy) -> rpc.Campaign:
            return await self._move(request.id, verb, request.by)

        return move

    async def _move(self, campaign: UUID, verb: Verb, by: str, **when: Any) -> rpc.Campaign:
        moved = _campaign_of(await self._campaigns.move(campaign, verb, by, **when))
        self._moved()
        return moved

    async def choose(self, request: rpc.ChooseSubject) -> rpc.Campaign:
        chosen = _campaign_of(await self._campaigns.choose(request.id, request.subject, request.by))
        self._moved()
        return chosen

    async def stats(self, query: Of) -> rpc.CampaignStats:
        stats = await self._campaigns.stats(query.id)
        if stats is None:
            raise not_found("campaign")
        return stats

    async def preflight(self, query: Of) -> rpc.Preflight:
        found = await self._campaigns.preflight(query.id)
        if found is None:
            raise not_found("campaign")
        return found

    async def recipients(self, query: rpc.RecipientsQuery) -> Rows[rpc.Recipient]:
        try:
            behind = read_cursor(query.cursor, _Behind).contact if query.cursor else None
        except BadCursor as error:
            raise bad_cursor() from error
        page = await self._campaigns.recipients(query.id, query.state, query.limit + 1, behind)
        if page is None:
            raise not_found("campaign")
        rows, more = page.rows[: query.limit], len(page.rows) > query.limit
        return Rows(rows=rows, total=page.total, next=write_cursor(_Behind(rows[-1].contact_id)) if more else "")


def _campaign_of(outcome: CampaignOutcome) -> rpc.Campaign:
    """Raises RpcError when it was not done."""
    match outcome.outcome:
        case "done" if outcome.campaign is not None:
            return outcome.campaign
        case "conflict" if outcome.campaign is not None:
            version = outcome.campaign.version
            message = outcome.message or f"The campaign was changed meanwhile: it is of version {version}"
            raise RpcError(ErrorCode.CONFLICT, message)
        case "invalid":
            raise RpcError(ErrorCode.INVALID_REQUEST, outcome.message or "It is not valid")
    raise not_found("campaign")
