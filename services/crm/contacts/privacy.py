"""Consent, suppressions and frequency caps; merging, telling, erasing."""

from typing import Any

import msgspec

from libs.contracts.admin import Rows
from libs.contracts.crm import privacy as rpc
from libs.contracts.crm.common import Gone, Of, OfBy
from libs.contracts.crm.contacts import Contact
from libs.contracts.rpc import ErrorCode, Nothing, RpcError
from libs.store.crm.privacy import Privacy
from services.crm.answering import Answer, not_found
from services.crm.contacts.desk import contact_of
from services.crm.imports.lines import csv_lines

_PAGE = 150_000
"""Bytes of a page; as lines, in a message of the bus, it may be several times as long."""


class PrivacyDesk:
    """Raises RpcError: NOT_FOUND, INVALID_REQUEST."""

    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.CONSENTS: self.consents,
            rpc.GIVE_CONSENT: self.give,
            rpc.SUPPRESSIONS: self.suppressions,
            rpc.SUPPRESS: self.suppress,
            rpc.UNSUPPRESS: self.unsuppress,
            rpc.CAPS: self.caps,
            rpc.SET_CAP: self.set_cap,
            rpc.DUPLICATES: self.duplicates,
            rpc.MERGE_CONTACTS: self.merge,
            rpc.ERASE_CONTACT: self.erase,
            rpc.PERSONAL_DATA: self.tell,
            rpc.PERSONAL_FILE: self.tell_lines,
        }

    async def consents(self, query: Of) -> rpc.Consents:
        consents = await self._privacy.consents(query.id)
        if consents is None:
            raise not_found("contact")
        return consents

    async def give(self, request: rpc.GiveConsent) -> rpc.Consents:
        if not await self._privacy.give(request.id, request.consent, request.by, request.address):
            raise not_found("contact")
        return await self.consents(Of(id=request.id))

    async def suppressions(self, query: rpc.SuppressionsQuery) -> Rows[rpc.Suppression]:
        page = await self._privacy.suppressions(query)
        return Rows(rows=page.rows, total=page.total)

    async def suppress(self, request: rpc.Suppress) -> rpc.Suppression:
        wanted = request.suppression
        await self._privacy.suppress(wanted.channel, wanted.address, wanted.reason, request.by)
        query = rpc.SuppressionsQuery(channel=wanted.channel, address=wanted.address)
        page = await self._privacy.suppressions(query)
        return page.rows[0]

    async def unsuppress(self, request: rpc.Unsuppress) -> rpc.OfSuppression:
        if not await self._privacy.unsuppress(request.channel, request.hash, request.by):
            raise not_found("suppression")
        return rpc.OfSuppression(channel=request.channel, hash=request.hash)

    async def caps(self, _: Nothing) -> Rows[rpc.FrequencyCap]:
        caps = tuple(await self._privacy.caps())
        return Rows(rows=caps, total=len(caps))

    async def set_cap(self, request: rpc.SetCap) -> rpc.FrequencyCap:
        await self._privacy.set_cap(request.cap)
        return request.cap

    async def duplicates(self, query: rpc.DuplicatesQuery) -> Rows[rpc.Duplicates]:
        found = await self._privacy.duplicates(query.limit)
        return Rows(rows=found, total=len(found))

    async def merge(self, request: rpc.MergeContacts) -> Contact:
        outcome = await self._privacy.merge(request.id, request.other, request.by)
        if outcome.outcome == "invalid":
            raise RpcError(ErrorCode.INVALID_REQUEST, outcome.message or "")
        return contact_of(outcome)

    async def erase(self, request: OfBy) -> Gone:
        if not await self._privacy.erase(request.id, request.by):
            raise not_found("contact")
        return Gone(id=request.id)

    async def tell(self, request: rpc.TellPersonalData) -> rpc.PersonalPage:
        skipped, table = _place(request.after)
        told = await self._privacy.told(request.id, request.by, table or None, skipped, _PAGE)
        if told is None:
            raise not_found("contact")
        return rpc.PersonalPage(
            tables=told.tables, next=f"{told.next_skip}.{told.next_table}" if told.next_table else ""
        )

    async def tell_lines(self, request: rpc.TellPersonalData) -> rpc.PersonalLines:
        """Every table in one file: a line for each value."""
        page, (skipped, begun) = await self.tell(request), _place(request.after)
        lines = [
            (table, number, column, value if isinstance(value, str | None) else msgspec.json.encode(value).decode())
            for table, rows in sorted(page.tables.items())
            for number, row in enumerate(rows, 1 + (skipped if table == begun else 0))
            for column, value in row.items()
        ]
        header = [] if request.after else [("table", "row", "column", "value")]
        return rpc.PersonalLines(text=csv_lines([*header, *lines]), next=page.next)


def _place(after: str) -> tuple[int, str]:
    """How many rows of which table were told."""
    skipped, _, table = after.partition(".")
    return int(skipped or 0), table
