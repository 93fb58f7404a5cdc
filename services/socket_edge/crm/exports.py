"""Contacts, and all that is known of one, as CSV by a link that is good for minutes and for one administrator."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, structs

from libs.bus import Bus
from libs.contracts.codec import Message
from libs.contracts.crm import imports as rpc
from libs.contracts.crm.common import Of
from libs.contracts.crm.privacy import PERSONAL_FILE as PERSONAL_LINES
from libs.contracts.crm.privacy import PersonalLines, TellPersonalData
from libs.contracts.pattern import END
from services.socket_edge.crm.shape import Done, Handlers, change
from services.socket_edge.dispatch import Call
from services.socket_edge.download import Download
from services.socket_edge.export_links import ExportLinks
from services.socket_edge.requests import Nothing, Request
from services.socket_edge.route import Access, Rate, Route

_PATH = "/api/crm/contacts/export"
_PERSONAL = "contacts/{id}/personal-data/file"


class ExportWanted(Request, frozen=True, kw_only=True):
    segment: UUID | None = None
    """Whose contacts; by default all."""


class ExportLink(Message, frozen=True, kw_only=True):
    link: str
    """Where the file is, for who asked for it."""
    expires_at: datetime


class Signed(Request, frozen=True, kw_only=True):
    expires: Annotated[int, Meta(ge=0, le=2**40)]
    """Epoch seconds."""
    signature: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + END)]


class ExportFile(Signed, frozen=True, kw_only=True):
    segment: UUID | None = None


class PersonalFile(Signed, frozen=True, kw_only=True):
    id: UUID


EXPORT = change("POST", "contacts/export", "A link to contacts as a file", Nothing, ExportWanted, Done[ExportLink])
FILE = Route(
    "GET", _PATH, "Contacts as a file, by such a link", ExportFile, Nothing, (bytes,), Access.ADMIN, Rate.COSTLY,
    files=("text/csv",),
)  # fmt: skip
PERSONAL = change(
    "POST", _PERSONAL, "A link to all that is known of a person, as a file (GDPR, article 20)", Of, Nothing,
    Done[ExportLink],
)  # fmt: skip
PERSONAL_FILE = Route(
    "GET", f"/api/crm/{_PERSONAL}", "All that is known of a person, by such a link; who asks is recorded", PersonalFile,
    Nothing, (bytes,), Access.ADMIN, Rate.COSTLY, files=("text/csv",),
)  # fmt: skip


def handlers(bus: Bus, links: ExportLinks) -> Handlers:
    def signed(segment: UUID | None) -> str:
        return f"contacts {segment or 'all'}"

    async def export(call: Call[Nothing, ExportWanted]) -> Done[ExportLink]:
        segment = call.body.segment
        expires_at, signature = links.sign(signed(segment), call.user)
        which = f"segment={segment}&" if segment else ""
        link = f"{_PATH}?{which}expires={int(expires_at.timestamp())}&signature={signature}"
        return Done(message="Good for a few minutes", data=ExportLink(link=link, expires_at=expires_at))

    async def file(call: Call[ExportFile, Nothing]) -> Download:
        asked = call.query
        links.check(signed(asked.segment), call.user, asked.expires, asked.signature)
        wanted = rpc.ExportContacts(by=call.user, segment=asked.segment)
        first = await bus.call(rpc.EXPORT_CONTACTS, wanted)
        at = round(bus.clock.now().timestamp() * 1000)
        return Download(f"contacts_{at}.csv", "text/csv", pages(call.user, asked.segment, first))

    async def pages(user: str, segment: UUID | None, page: rpc.ContactLines) -> AsyncGenerator[bytes]:
        yield page.text.encode()
        while page.next is not None:
            page = await bus.call(rpc.EXPORT_CONTACTS, rpc.ExportContacts(by=user, segment=segment, after=page.next))
            yield page.text.encode()

    async def personal(call: Call[Of, Nothing]) -> Done[ExportLink]:
        contact = call.query.id
        expires_at, signature = links.sign(f"person {contact}", call.user)
        path = PERSONAL_FILE.path.replace("{id}", str(contact))
        link = f"{path}?expires={int(expires_at.timestamp())}&signature={signature}"
        return Done(message="Good for a few minutes", data=ExportLink(link=link, expires_at=expires_at))

    async def personal_file(call: Call[PersonalFile, Nothing]) -> Download:
        asked = call.query
        links.check(f"person {asked.id}", call.user, asked.expires, asked.signature)
        wanted = TellPersonalData(by=call.user, id=asked.id)
        first = await bus.call(PERSONAL_LINES, wanted)
        return Download(f"contact_{asked.id}.csv", "text/csv", lines(wanted, first))

    async def lines(wanted: TellPersonalData, page: PersonalLines) -> AsyncGenerator[bytes]:
        yield page.text.encode()
        while page.next:
            page = await bus.call(PERSONAL_LINES, structs.replace(wanted, after=page.next))
            yield page.text.encode()

    return {EXPORT: export, FILE: file, PERSONAL: personal, PERSONAL_FILE: personal_file}
