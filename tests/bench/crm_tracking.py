"""What readers of mails wait for: the image and the links, asked of the edge, two at a time; with the database, then
without it.
"""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from uuid import UUID

from services.crm.keys import Keys
from services.crm.templates.cleaning import clean
from services.crm.tracking.links import Links, Purpose
from tests.bench.result import Result
from tests.integration.crm.sending.rows import a_contact, a_version, queue_mail, state
from tests.integration.crm.stack import CrmStack, running
from tests.integration.supabase_server import SupabaseServer

NAMES = ("crm.pixel_p99_ms", "crm.click_p99_ms", "crm.pixel_away_p99_ms", "crm.click_away_p99_ms")

_TIMES, _AT_ONCE = 2_000, 2
_TARGET = "https://shop.example.test/a"
_READER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        server = SupabaseServer(Path(directory) / "supabase")
        await asyncio.to_thread(server.prepare)
        server.start()
        try:
            async with running(Path(directory), server) as crm:
                paths = await _paths(crm, server)
                here = [await _p99(crm, path) for path in paths]
                server.stop()
                away = [await _p99(crm, path) for path in paths]
        finally:
            server.stop()
    return [Result(name, value, "ms") for name, value in zip(NAMES, (*here, *away), strict=True)]


async def _paths(crm: CrmStack, server: SupabaseServer) -> Iterable[str]:
    """Of the image and of a link of a mail that was sent."""
    version = await a_version(server, clean(f'<p><a href="{_TARGET}">look</a></p>'))
    queued = await queue_mail(server, await a_contact(server), version)
    await state(server, queued, "sent")
    links = Links(Keys([server.secret_key]), "")
    return (
        links.url(Purpose.OPEN, UUID(queued)),
        links.url(Purpose.CLICK, UUID(queued), 0, UUID(version)),
    )


async def _p99(crm: CrmStack, path: str) -> float:
    took: list[float] = []

    async def one(times: int) -> None:
        for _ in range(times):
            began = time.monotonic()
            async with crm.edge.http.get(crm.edge.url + path, allow_redirects=False, headers=_READER) as answer:
                await answer.read()
            took.append(1000 * (time.monotonic() - began))
            if answer.status == 302 and answer.headers["Location"] != _TARGET:
                raise RuntimeError(f"the link leads to {answer.headers['Location']}")

    await one(20)
    took.clear()
    await asyncio.gather(*(one(_TIMES // _AT_ONCE) for _ in range(_AT_ONCE)))
    return quantiles(took, n=100)[98]
