"""Templates and their versions (functions `crm_*`)."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.templates import Policy, Template, TemplatesQuery, TemplateVersion, WholeTemplate
from libs.store.database import Database
from libs.store.rows import read_optional, read_rows, read_value


class TemplateOutcome(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "not_found", "conflict", "used"]
    """`conflict`: it is of another version."""
    template: WholeTemplate | None = None
    users: tuple[str, ...] = ()


class TemplatePage(msgspec.Struct, frozen=True):
    rows: tuple[Template, ...]
    total: int


class StoredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender needs of one."""

    id: UUID
    subject: str
    preheader: str
    html: str | None
    text: str
    policy: Policy
    ready: bool


class Recipient(msgspec.Struct, frozen=True):
    row: dict[str, Any]


class Templates:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, query: TemplatesQuery) -> TemplatePage:
        data = await self._database.call(
            "crm_find_templates",
            search=query.search.strip() or None,
            of_category=query.category or None,
            at_most=query.limit,
            skipped=query.offset,
        )
        return read_value(data, TemplatePage)

    async def one(self, template: UUID) -> WholeTemplate | None:
        return read_optional(await self._database.call("crm_one_template", template=str(template)), WholeTemplate)

    async def versions(self, template: UUID) -> tuple[TemplateVersion, ...] | None:
        """None: there is no such template."""
        data = await self._database.call("crm_template_versions", template=str(template))
        return read_optional(data, tuple[TemplateVersion, ...])

    async def version(self, id: UUID) -> StoredVersion | None:
        columns = "id,subject,preheader,html,text,policy,ready"
        query = self._database.client.table("crm_email_template_versions").select(columns).eq("id", str(id))
        return next(iter(read_rows(await self._database.execute(query, "a version"), StoredVersion)), None)

    async def save(
        self, template: UUID | None, given: Mapping[str, Any], by: str, expected: int | None = None
    ) -> TemplateOutcome:
        """None: a new one."""
        data = await self._database.call(
            "crm_save_template",
            template=str(template) if template else None,
            given=dict(given),
            expected=expected,
            actor=by,
        )
        return read_value(data, TemplateOutcome)

    async def drop(self, template: UUID, by: str) -> TemplateOutcome:
        data = await self._database.call("crm_drop_template", template=str(template), actor=by)
        return read_value(data, TemplateOutcome)

    async def recipient(self, contact: UUID) -> dict[str, Any] | None:
        """What may be said of a contact; None: there is none."""
        data = await self._database.call("crm_recipient", of_contact=str(contact))
        return next((one.row for one in read_rows(data, Recipient)), None)
