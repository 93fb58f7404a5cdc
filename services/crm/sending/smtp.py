"""Mails to a mail server, over connections that are kept."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from functools import partial
from typing import Literal

import aiosmtplib

from libs.store.crm.mails import ClaimedMail
from services.crm.sending.channel import SENT, Outcome, Unwritable
from services.crm.sending.letter import Letter, Writer
from services.crm.sending.outside import NoAnswer, NotAllowed, Outside
from services.crm.sending.pace import Pace
from services.crm.templates.compiled import Compiled
from services.crm.templates.tags import BadTag, Missing

_TIMEOUT = 20.0
"""Seconds that the server has for each answer."""
_TURN, _PATIENCE = 3.0, 15.0
"""Seconds; a campaign that is paused waits for what has its turn."""
_MAILS = 500
"""Over one connection; servers limit that, too."""
_NO_SUCH_ADDRESS = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")
_BLAME_ADDRESS = (550, 551, 553)


Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Server:
    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = None
    outside: Outside | None = None
    """Through which it is reached; None: an operator has named it, who may name one inside."""

    async def connect(self, timeout: float = _TIMEOUT) -> aiosmtplib.SMTP:
        """Logged in. Raises SMTPException, OSError, TimeoutError, NotAllowed, NoAnswer."""
        if self.outside is None:
            return await self._open(None, timeout)
        async with self.outside.connected(self.host, self.port) as opened:
            return await self._open(opened, timeout)

    async def _open(self, opened: socket.socket | None, timeout: float) -> aiosmtplib.SMTP:
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port if opened is None else None,
            username=self.user,
            password=self.password,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            timeout=timeout,
            sock=opened,
        )
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        return client


class Mailer:
    def __init__(
        self, server: Server, writer: Writer, connections: int, patience: float = _PATIENCE, pace: Pace | None = None
    ) -> None:
        """`patience`: seconds that a mail waits for a connection, and as many until there is one."""
        self._pace = pace
        self._patience = patience
        self._server = server
        self._writer = writer
        self._idle: list[tuple[aiosmtplib.SMTP, int]] = []
        self._free = asyncio.Semaphore(connections)

    def prepare(self, mail: ClaimedMail, compiled: Compiled) -> Callable[[], Awaitable[Outcome]]:
        """Raises Unwritable."""
        try:
            return partial(self.deliver, self._writer.letter(mail, compiled))
        except Missing as error:
            raise Unwritable(f"missing: {error}") from error
        except (BadTag, ValueError, MessageError) as error:  # such as for an address that is none
            raise Unwritable(f"unwritable: {str(error)[:200]}") from error

    async def deliver(self, letter: Letter) -> Outcome:
        """Hand it over; once."""
        if self._pace is not None:
            turn = self._pace.turn(_TURN)
            if turn is None:
                return Outcome("retry", "no connection: others come first", blameless=True)
            await asyncio.sleep(turn)
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            return Outcome("retry", "no connection: all are busy", blameless=True)
        try:
            return await self._deliver(letter)
        finally:
            self._free.release()

    async def _deliver(self, letter: Letter) -> Outcome:
        try:
            client, used = self._idle.pop() if self._idle else (await self._connected(), 0)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, NotAllowed, NoAnswer) as error:
            return Outcome("retry", f"no connection: {type(error).__name__}", blameless=True)
        try:
            outcome = await _transfer(client, letter)
        except BaseException:  # it took too long: in the middle of a mail
            client.close()
            raise
        if outcome.kind == "unknown" or not client.is_connected or used + 1 >= _MAILS:
            client.close()
        else:
            self._idle.append((client, used + 1))
        return outcome

    async def _connected(self) -> aiosmtplib.SMTP:
        async with asyncio.timeout(self._patience):
            return await self._server.connect()

    async def close(self) -> None:
        for client, _ in self._idle:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=1.0)
            client.close()
        self._idle.clear()


async def _transfer(client: aiosmtplib.SMTP, letter: Letter) -> Outcome:
    try:
        await client.mail(letter.sender)
        await client.rcpt(letter.to)
    except aiosmtplib.SMTPRecipientRefused as error:
        return await _refused(client, error.code, error.message, of_address=True)
    except aiosmtplib.SMTPResponseException as error:
        return await _refused(client, error.code, error.message)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        client.close()
        return Outcome("retry", f"cut off: {type(error).__name__}")
    try:
        await client.data(letter.data)
    except aiosmtplib.SMTPResponseException as error:
        return await _refused(client, error.code, error.message)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        client.close()
        return Outcome("unknown", f"no answer: {type(error).__name__}")
    return SENT


async def _refused(client: aiosmtplib.SMTP, code: int, message: str, *, of_address: bool = False) -> Outcome:
    """The server said no, and to how long."""
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        client.close()
    said = f"{code} {' '.join(message.split())}"[:300]
    if code < 500:
        return Outcome("retry", said)
    told = message.lstrip()
    enhanced = told.split(" ", 1)[0] if told[:2] == "5." else ""
    gone = enhanced in _NO_SUCH_ADDRESS if enhanced else code in _BLAME_ADDRESS
    return Outcome("failed", said, bounced=of_address and gone)
