"""Contacts as a file of CSV, by a link that is good for minutes and for one administrator."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from libs.bus import Bus
from libs.contracts.codec import Message
from libs.contracts.crm import imports as rpc
from libs.contracts.pattern import END
from services.socket_edge.crm.shape import Done, Handlers, change
from services.socket_edge.dispatch import Call
from services.socket_edge.download import Download
from services.socket_edge.export_links import ExportLinks
from services.socket_edge.requests import Nothing, Request
from services.socket_edge.route import Access, Rate, Route

_PATH = "/api/crm/contacts/export"


class ExportWanted(Request, frozen=True, kw_only=True):
    segment: UUID | None = None
    """Whose contacts; by default all."""


class ExportLink(Message, frozen=True, kw_only=True):
    link: str
    """Where the file is, for who asked for it."""
    expires_at: datetime


class ExportFile(ExportWanted, frozen=True, kw_only=True):
    expires: Annotated[int, Meta(ge=0, le=2**40)]
    """Epoch seconds."""
    signature: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + END)]


EXPORT = change("POST", "contacts/export", "A link to contacts as a file", Nothing, ExportWanted, Done[ExportLink])
FILE = Route(
    "GET", _PATH, "Contacts as a file, by such a link", ExportFile, Nothing, (bytes,), Access.ADMIN, Rate.COSTLY,
    files=("text/csv",),
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

    return {EXPORT: export, FILE: file}
