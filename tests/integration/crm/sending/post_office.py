"""A mail server that keeps what it is given, and misbehaves as it is told."""

import asyncio
import email.policy
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.ports import free_port

_PARSER = BytesParser(policy=email.policy.default)


@dataclass
class PostOffice:
    port: int
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Sender and recipient of the envelope, and the mail."""
    delay: float = 0.0
    closed: asyncio.Event | None = None
    """While there is one that is not set, no mail is answered."""
    refusals: dict[str, list[str]] = field(default_factory=dict)
    """Answers to a recipient, by its local part, in turn; after the last one it is taken."""
    busy: bool = False
    """It takes nothing now, and says so."""
    silent: set[str] = field(default_factory=set)
    """Local parts of those whose mails it takes without ever saying so."""
    connections: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.busy:
            return "421 4.3.2 come back later"
        told = self.refusals.get(address.partition("@")[0])
        if told:
            return told.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        await asyncio.sleep(self.delay)
        if self.closed is not None:
            await self.closed.wait()
        content = envelope.content
        assert isinstance(content, bytes)
        [to] = envelope.rcpt_tos
        self.taken.append((envelope.mail_from or "", to, content))
        if to.partition("@")[0] in self.silent:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"

    def mails(self, to: str) -> list[EmailMessage]:
        return [_PARSER.parsebytes(data) for _, recipient, data in self.taken if recipient == to]

    def of_ids(self) -> Counter[str]:
        """How often each Message-ID was taken."""
        return Counter(str(_PARSER.parsebytes(data, headersonly=True)["Message-ID"]) for _, _, data in self.taken)


@asynccontextmanager
async def open_post_office() -> AsyncIterator[PostOffice]:
    office = PostOffice(free_port())

    def session() -> SMTP:
        office.connections += 1
        return SMTP(office, enable_SMTPUTF8=True, hostname="post.example.test", data_size_limit=2_000_000)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", office.port)
    try:
        yield office
    finally:
        server.close()
