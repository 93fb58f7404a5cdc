"""Forms and what was sent with them (functions `crm_*` of the database)."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.forms import Confirmed, Form, Submission, SubmissionsQuery
from libs.store.database import Database
from libs.store.rows import read_optional, read_value


class FormOutcome(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "not_found", "conflict", "invalid"]
    """`conflict`: it is of another version."""
    message: str | None = None
    form: Form | None = None


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["taken", "not_found", "foreign", "invalid"]
    """`foreign`: it came from a page that may not send it."""
    message: str = ""


class FormPage(msgspec.Struct, frozen=True):
    rows: tuple[Form, ...]
    total: int


class SubmissionPage(msgspec.Struct, frozen=True):
    rows: tuple[Submission, ...]
    total: int


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A form as somebody has sent it."""

    id: UUID
    form: UUID
    email: str
    fields: Mapping[str, Any]
    origin: str
    ip: str
    agent: str
    confirm_at: str
    """Where the mail leads…"""
    lifetime: float
    """…for so many seconds."""


class Forms:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, search: str, limit: int, offset: int) -> FormPage:
        data = await self._database.call("crm_find_forms", search=search.strip() or None, at_most=limit, skipped=offset)
        return read_value(data, FormPage)

    async def one(self, form: UUID) -> Form | None:
        return read_optional(await self._database.call("crm_one_form", form=str(form)), Form)

    async def save(self, form: UUID | None, given: Mapping[str, Any], expected: int | None = None) -> FormOutcome:
        """A new one without `form`; of another what is given."""
        data = await self._database.call(
            "crm_save_form", form=str(form) if form else None, given=dict(given), expected=expected
        )
        return read_value(data, FormOutcome)

    async def drop(self, form: UUID, by: str) -> bool:
        return bool(await self._database.call("crm_drop_form", form=str(form), actor=by))

    async def submissions(self, query: SubmissionsQuery) -> SubmissionPage | None:
        """None: there is no such form."""
        data = await self._database.call(
            "crm_submissions_of",
            form=str(query.id),
            of_state=query.state,
            at_most=query.limit,
            skipped=query.offset,
        )
        return read_optional(data, SubmissionPage)

    async def submit(self, sent: Sent) -> Taken:
        data = await self._database.call(
            "crm_submit_form",
            form=str(sent.form),
            submission=str(sent.id),
            address=sent.email,
            given=dict(sent.fields),
            from_origin=sent.origin,
            from_ip=sent.ip or None,
            from_agent=sent.agent or None,
            confirm_at=sent.confirm_at,
            lifetime=sent.lifetime,
        )
        return read_value(data, Taken)

    async def confirm(self, submission: UUID, ip: str, agent: str) -> Confirmed:
        data = await self._database.call(
            "crm_confirm_form", submission=str(submission), from_ip=ip or None, from_agent=agent or None
        )
        return read_value(data, Confirmed)

    async def tend(self, most: int, reminded_every: float) -> int:
        """Reminds of what waits, lets go what has waited for too long; of how many."""
        return read_value(await self._database.call("crm_tend_forms", at_most=most, reminded_every=reminded_every), int)
