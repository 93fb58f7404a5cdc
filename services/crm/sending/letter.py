"""From what a mail says to the bytes that a mail server takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from libs.contracts.clock import Clock
from libs.store.crm.mails import ClaimedMail
from services.crm.sending.dkim import Signer
from services.crm.templates.compiled import Compiled, Written
from services.crm.templates.formats import one_line
from services.crm.templates.places import in_attribute, in_text
from services.crm.templates.sample import data_of
from services.crm.tracking.links import Links, Purpose

_PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'
_LEAVE = "List-Unsubscribe: <{}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
"""Not left to the e-mail package, which encodes what is longer than a line: no mailbox would find the address in it."""
_FOOT = '<p style="font-size:12px;color:#666"><a href="{}" style="color:#666">Unsubscribe</a>{}</p>'


@dataclass(frozen=True, slots=True)
class Letter:
    sender: str
    """Of the envelope: where failures go."""
    to: str
    data: bytes


class Writer:
    def __init__(self, sender: Mapping[str, str], links: Links, signer: Signer | None, clock: Clock) -> None:
        """`sender`: name, email, address."""
        self.sender = sender
        self._links = links
        self._signer = signer
        self._clock = clock
        self._domain = sender["email"].rpartition("@")[2]

    def letter(self, mail: ClaimedMail, compiled: Compiled) -> Letter:
        """Raises Missing; BadTag for a subject with such a one; ValueError, MessageError for an address that cannot be
        written."""
        leave = self._links.url(Purpose.LEAVE, mail.id)
        preferences = self._links.url(Purpose.PREFERENCES, mail.id)
        marketing = mail.class_ == "marketing"
        queued = mail.data | (
            {"campaign": {"id": str(mail.campaign_id), **_campaign(mail.data)}} if mail.campaign_id else {}
        )
        data = data_of(mail.contact, {"unsubscribe": preferences, "preferences": preferences}, self.sender, queued)
        foot = marketing and not compiled.unsubscribes
        written = compiled.write(
            data,
            lambda number, _target: self._links.url(Purpose.CLICK, mail.id, number, mail.template_version_id),
            subject=mail.subject,
            end=(self._foot(preferences) if foot else "")
            + _PIXEL.format(in_attribute(self._links.url(Purpose.OPEN, mail.id))),
            foot=f"\n\nUnsubscribe: {preferences}\n" if foot else "",
        )
        to, name = str(mail.contact["email"]), one_line(str(mail.contact.get("name") or ""))
        message = self._message(mail.id, to, " ".join(name.split()), written)
        if marketing:
            message["Precedence"] = "bulk"
        written_out = self._bytes(message, _LEAVE.format(leave) if marketing else "")
        return Letter(self._links.return_path(mail.id) or self.sender["email"], to, written_out)

    def trial(self, id: UUID, to: str, written: Written) -> Letter:
        """A mail to who tries a template."""
        return Letter(self.sender["email"], to, self._bytes(self._message(id, to, "", written)))

    def _message(self, id: UUID, to: str, name: str, written: Written) -> EmailMessage:
        message = EmailMessage(SMTP)
        message["From"] = Address(self.sender["name"], addr_spec=self.sender["email"])
        message["To"] = Address(name[:100], addr_spec=to)
        message["Subject"] = written.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(written.text, cte="quoted-printable")
        message.add_alternative(written.html, subtype="html", cte="base64")  # quoted-printable takes ten times as long
        return message

    def _bytes(self, message: EmailMessage, more: str = "") -> bytes:
        """`more`: headers as they are written."""
        data = more.encode("ascii") + message.as_bytes()
        if self._signer is None:
            return data
        head, _, body = data.partition(b"\r\n\r\n")
        return self._signer.signed(_headers(head), body) + data

    def _foot(self, preferences: str) -> str:
        place = f" · {in_text(self.sender['address'])}" if self.sender["address"] else ""
        return _FOOT.format(in_attribute(preferences), place)


def _campaign(queued: Mapping[str, Any]) -> Mapping[str, Any]:
    given = queued.get("campaign")
    return given if isinstance(given, Mapping) else {}


def _headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """Names, and values with the ends of their lines."""
    found: list[list[bytes]] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and found:
            found[-1][1] += line + b"\r\n"
        else:
            name, _, value = line.partition(b":")
            found.append([name, value + b"\r\n"])
    return [(name, value) for name, value in found]
