"""A sender of mails, put together as the service does it; also a process of its own: tests kill it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from libs.contracts.clock import SystemClock
from libs.store import Database
from libs.store.crm.mails import Mails
from libs.store.crm.templates import Templates
from services.crm.keys import Keys
from services.crm.sending.channel import Channel
from services.crm.sending.letter import Writer
from services.crm.sending.mails import MailSender
from services.crm.sending.smtp import Mailer, Server
from services.crm.sending.unconfigured import Unconfigured
from services.crm.templates.versions import Versions
from services.crm.tracking.links import Links

SENDER = {"name": "Pregão, news", "email": "news@sender.example.test", "address": "1 Street"}
LINKS = Links(Keys(["a key of tests"]), "https://mail.example.test", "bounces.example.test")


@asynccontextmanager
async def a_sender(
    url: str, secret_key: str, port: int, *, lease: float = 60.0, at_once: int = 20
) -> AsyncIterator[MailSender]:
    async with await Database.connect(url, secret_key) as database:
        clock = SystemClock()
        mailer = Mailer(Server("127.0.0.1", port, "none"), Writer(SENDER, LINKS, None, clock), at_once)

        async def channels() -> dict[str, Channel]:
            return {"email": mailer, "sms": Unconfigured()}

        versions = Versions(Templates(database))
        yield MailSender(Mails(database), versions, channels, clock, lambda: None, 0.0, at_once, lease)
        await mailer.close()


@asynccontextmanager
async def sending(url: str, secret_key: str, port: int, *, lease: float = 60.0) -> AsyncIterator[None]:
    async with a_sender(url, secret_key, port, lease=lease) as sender:
        running = asyncio.create_task(sender.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def _main() -> None:
    url, key, port, lease = (os.environ[name] for name in ("URL", "KEY", "PORT", "LEASE"))
    async with a_sender(url, key, int(port), lease=float(lease), at_once=4) as sender:
        await sender.run()


if __name__ == "__main__":
    asyncio.run(_main())
