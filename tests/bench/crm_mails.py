"""A campaign to 50,000 people by one process: each mail claimed from the local database, where it is asked whether it
may be sent, rendered, its links and image signed, signed itself (DKIM, RSA of 2,048 bits), handed to a mail server on
this machine, and told of. The database is PGlite, on the same two cores: it is most of the work.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from libs.store import Database
from libs.store.crm.mails import Mails
from libs.store.crm.templates import Templates
from services.crm.keys import Keys
from services.crm.sending.channel import Channel
from services.crm.sending.dkim import Signer
from services.crm.sending.letter import Writer
from services.crm.sending.mails import MailSender
from services.crm.sending.smtp import Mailer, Server
from services.crm.templates.cleaning import clean
from services.crm.templates.versions import Versions
from services.crm.tracking.links import Links
from tests.bench.result import Result
from tests.integration.crm.sending.rows import a_version
from tests.integration.supabase_server import SupabaseServer
from tests.ports import free_port

NAMES = ("crm.mails_per_s", "crm.mails_per_cpu_s", "crm.mails_memory_growth_mib")

_MANY = int(os.environ.get("PREGAO_BENCH_MAILS", "50000"))
_PIECE = 500
_AT_ONCE = 20
_WARM = 0.2
"""After this part the memory counts from which it grows."""
_SENDER = {"name": "Pregão", "email": "news@sender.example.test", "address": "1 Street"}
_PAGE = "".join(
    f'<table><tr><td style="padding:8px"><p>Hello {{{{contact.first_name | default:"you"}}}}, this is part {n}.</p>'
    f'<a href="https://shop.example.test/{n}?who={{{{contact.first_name}}}}">Look at it</a></td></tr></table>'
    for n in range(12)
)


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        server = SupabaseServer(Path(directory))
        await asyncio.to_thread(server.prepare)
        server.start()
        try:
            await _queue(server)
            async with _sink() as port:
                return await _send(server, port)
        finally:
            server.stop()


async def _queue(server: SupabaseServer) -> None:
    version = await a_version(server, clean(_PAGE))
    for begin in range(0, _MANY, _PIECE):
        numbers = range(begin, min(begin + _PIECE, _MANY))
        people = [{"email": f"{n}@{n % 40}.bench.test", "first_name": f"Ana {n}"} for n in numbers]
        made: list[dict[str, Any]] = await server.as_service("POST", "/rest/v1/crm_contacts", people)
        said = {"channel": "email", "topic": "news", "state": "subscribed", "how": "bench"}
        await server.as_service("POST", "/rest/v1/crm_consents", [said | {"contact_id": row["id"]} for row in made])
        common = {"template_version_id": version, "class": "marketing", "topic": "news"}
        rows = [
            common | {"key": new_id(), "contact_id": row["id"], "domain": row["email"].partition("@")[2]}
            for row in made
        ]
        await server.as_service("POST", "/rest/v1/crm_mail_out", rows)
    pace = [{"domain": f"{n}.bench.test", "wakes_at": "2026-01-01T00:00:00Z"} for n in range(40)]
    await server.as_service("POST", "/rest/v1/crm_mail_pace", pace)


async def _send(server: SupabaseServer, port: int) -> list[Result]:
    clock, process = SystemClock(), psutil.Process()
    signer = Signer("sender.example.test", "bench", generate_private_key(65537, 2048))
    writer = Writer(_SENDER, Links(Keys(["a key of the bench"]), "https://mail.example.test"), signer, clock)
    mailer = Mailer(Server("127.0.0.1", port, "none"), writer, _AT_ONCE)
    async with await Database.connect(server.url, server.secret_key) as database:
        mails = Mails(database)

        async def channels() -> dict[str, Channel]:
            return {"email": mailer}

        sender = MailSender(mails, Versions(Templates(database)), channels, clock, lambda: None, 0.0, _AT_ONCE)
        started, busy = time.monotonic(), sum(process.cpu_times()[:2])
        running = asyncio.create_task(sender.run())
        warm = 0.0
        while True:
            left = await mails.figures()
            if left.waiting + left.sending == 0:
                break
            if not warm and left.waiting < _MANY * (1 - _WARM):
                warm = process.memory_info().rss
            await asyncio.sleep(0.5)
        took, busy = time.monotonic() - started, sum(process.cpu_times()[:2]) - busy
        grown = (process.memory_info().rss - warm) / 2**20
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await mailer.close()
        [counted] = await server.as_service("GET", "/rest/v1/crm_mail_out?state=eq.sent&select=count")
    if counted["count"] != _MANY:
        raise RuntimeError(f"{counted['count']} of {_MANY} mails were sent")
    return [
        Result("crm.mails_per_s", _MANY / took, "1/s"),
        Result("crm.mails_per_cpu_s", _MANY / busy, "1/s"),
        Result("crm.mails_memory_growth_mib", grown, "MiB"),
    ]


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    port = free_port()
    sink = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.mail_sink", str(port), stdout=asyncio.subprocess.PIPE
    )
    assert sink.stdout is not None
    await sink.stdout.readline()
    try:
        yield port
    finally:
        sink.kill()
        await sink.wait()
