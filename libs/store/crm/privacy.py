"""Consent, suppressions, caps; contacts that are merged, told of themselves, or erased."""

from typing import Any
from uuid import UUID

import msgspec

from libs.contracts.crm.privacy import Consents, Duplicates, FrequencyCap, GivenConsent, Suppression, SuppressionsQuery
from libs.store.crm.contacts import Outcome
from libs.store.database import Database
from libs.store.rows import read_optional, read_rows, read_value


class SuppressionPage(msgspec.Struct, frozen=True):
    rows: tuple[Suppression, ...]
    total: int


class ToldOf(msgspec.Struct, frozen=True):
    """A page of what is known of somebody."""

    tables: dict[str, list[dict[str, Any]]]
    next_table: str | None
    """Where the next one begins; None: that was all."""
    next_skip: int


class _Asked(msgspec.Struct, frozen=True):
    refusal: str | None


class Privacy:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def consents(self, contact: UUID) -> Consents | None:
        """None: there is no such contact."""
        return read_optional(await self._database.call("crm_consents_of", contact=str(contact)), Consents)

    async def give(self, contact: UUID, consent: GivenConsent, by: str, address: str) -> bool:
        """False: there is no such contact."""
        data = await self._database.call(
            "crm_give_consent",
            contact=str(contact),
            channel=consent.channel,
            topic=consent.topic,
            state=consent.state,
            how=consent.how,
            text_version=consent.text_version,
            ip=address or None,
            proof={"by": by},
        )
        return bool(data)

    async def refusal(self, contact: UUID, topic: str, class_: str) -> str | None:
        """Why no mail of a class may go to a contact now; None: it may."""
        asked = {"contact": str(contact), "channel": "email", "topic": topic, "class": class_}
        return read_value(await self._database.call("crm_may_send", **asked), _Asked).refusal

    async def suppressions(self, query: SuppressionsQuery) -> SuppressionPage:
        data = await self._database.call(
            "crm_find_suppressions",
            of_channel=query.channel,
            of_address=query.address or None,
            at_most=query.limit,
            skipped=query.offset,
        )
        return read_value(data, SuppressionPage)

    async def suppress(self, channel: str, address: str, reason: str, by: str) -> None:
        await self._database.call("crm_suppress", channel=channel, address=address, reason=reason, actor=by)

    async def unsuppress(self, channel: str, hash: str, by: str) -> bool:
        """False: it was not listed."""
        return bool(await self._database.call("crm_unsuppress", channel=channel, hash=hash, actor=by))

    async def caps(self) -> list[FrequencyCap]:
        query = self._database.client.table("crm_frequency_caps").select("*").order("channel")
        return read_rows(await self._database.execute(query, "crm_frequency_caps"), FrequencyCap)

    async def set_cap(self, cap: FrequencyCap) -> None:
        query = self._database.client.table("crm_frequency_caps").upsert(msgspec.to_builtins(cap))
        await self._database.execute(query, "crm_frequency_caps")

    async def duplicates(self, limit: int) -> tuple[Duplicates, ...]:
        return read_value(await self._database.call("crm_duplicates", at_most=limit), tuple[Duplicates, ...])

    async def merge(self, winner: UUID, loser: UUID, by: str) -> Outcome:
        data = await self._database.call("crm_merge_contacts", winner=str(winner), loser=str(loser), actor=by)
        return read_value(data, Outcome)

    async def erase(self, contact: UUID, by: str) -> bool:
        return bool(await self._database.call("crm_erase_contact", contact=str(contact), actor=by))

    async def told(self, contact: UUID, by: str, table: str | None, skipped: int, most: int) -> ToldOf | None:
        """What is known of a contact, no more than `most` bytes, from a row of a table on; None: there is none."""
        data = await self._database.call(
            "crm_export_contact", contact=str(contact), actor=by, from_table=table, skipped=skipped, most=most
        )
        return read_optional(data, ToldOf)
