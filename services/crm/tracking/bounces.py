"""A mail server for what comes back, at addresses that only we can have made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import Counter

from libs.service import CannotStart
from libs.store import StoreError
from libs.store.crm.tracking import Returned, Tracking
from services.crm.templates.formats import one_line
from services.crm.tracking.links import BadToken, Links
from services.crm.tracking.returns import read

log = structlog.get_logger()

_LARGEST = 512 * 1024
_IDLE = 60.0
"""Seconds without a word after which a connection is closed."""
_MOST = 100
"""Connections at once."""

returned = Counter("pregao_crm_mails_returned_total", "What was told of mails that were handed over", ["kind", "by"])


class Bounces:
    def __init__(self, tracking: Tracking, links: Links, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._tracking = tracking
        self._links = links
        self._told = told

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        try:
            self._links.bounced(address)
        except BadToken:
            return "550 5.1.1 no such address"
        if len(envelope.rcpt_tos) >= 5:
            return "452 4.5.3 one at a time"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """It is taken when it is written down."""
        data = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            for address in envelope.rcpt_tos:
                await self._note(address, data)
        except StoreError as error:
            log.warning("return_not_taken", error=str(error))
            return "451 4.3.0 not now"
        return "250 OK"

    async def _note(self, address: str, data: bytes) -> None:
        mail = self._links.bounced(address)
        told = read(data)
        if told is None:
            returned.labels("other", "mail").inc()
            return
        event = sha256(data).hexdigest()[:32]
        row = Returned(mail=mail, event=event, kind=told.kind, hard=told.hard, why=one_line(told.why))
        await self._tracking.returned([row])
        returned.labels(told.kind, "mail").inc()
        self._told()


@asynccontextmanager
async def listening(bounces: Bounces, host: str, port: int) -> AsyncIterator[None]:
    """Raises CannotStart."""
    open_ones: set[SMTP] = set()

    class Server(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            open_ones.add(self)
            if len(open_ones) > _MOST:
                transport.close()

        def connection_lost(self, error: Exception | None) -> None:
            open_ones.discard(self)
            super().connection_lost(error)

    def connect() -> SMTP:
        return Server(
            bounces, data_size_limit=_LARGEST, enable_SMTPUTF8=True, hostname="bounces", ident="Pregao", timeout=_IDLE
        )

    try:
        server = await asyncio.get_running_loop().create_server(connect, host, port)
    except OSError as error:
        raise CannotStart(f"PREGAO_MAIL_BOUNCE_PORT: {host}:{port} cannot be listened on: {error}") from error
    async with server:
        yield
