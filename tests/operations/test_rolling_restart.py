"""A new version is rolled out under load: each service runs twice, and its processes are replaced one after the other.

No request fails but with `Retry-After`, no browser misses an event, and no order is lost or sent twice: `make
test-operations`.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from libs.bus import Bus
from tests.chaos.day import Day
from tests.integration.nats_server import NatsServer
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service_process import StartService
from tests.integration.supabase_server import Person, SupabaseServer
from tests.operations.door import Door
from tests.operations.trading import CONFIG, start_broker, start_platform, witnessed

pytestmark = pytest.mark.timeout(600)

BOTS = 6
SETTLING = 4.0
"""Seconds that each new process is watched under load before the next one goes (of Kubernetes: the probe's period)."""
ASKED: Sequence[tuple[str, str, Any]] = (
    ("GET", "/api/bot/status", None),
    ("GET", "/api/bot/runtime-status", None),
    ("POST", "/api/bot/preview", {"config": CONFIG}),
    ("GET", "/api/candles?asset=DAY1-OTC&timeframe=5&count=20", None),
)
OF_ADMINISTRATORS = (("GET", "/api/admin/analytics/dashboard", None), ("GET", "/api/crm/contacts", None))


async def ask(door: Door, number: int, person: Person, administrator: Person) -> None:
    """For ever, as clients do that poll."""
    while True:
        for method, path, body in ASKED:
            await door.ask(number, method, path, person, body)
        for method, path, body in OF_ADMINISTRATORS:
            await door.ask(number, method, path, administrator, body)
        await asyncio.sleep(0.1)


async def test_nothing_is_noticed_of_a_roll_out(
    bus: Bus,
    nats_server: NatsServer,
    start_paper_broker: StartPaperBroker,
    start_service: StartService,
    own_supabase_server: SupabaseServer,
    tmp_path: Path,
) -> None:
    broker = await start_broker(start_paper_broker, tmp_path)
    platform = await start_platform(start_service, broker, own_supabase_server)
    day = Day(bus, nats_server, broker, own_supabase_server, [], seed=1)
    administrator = await own_supabase_server.sign_up()
    await own_supabase_server.appoint(administrator, "super_admin")
    people = [await own_supabase_server.sign_up() for _ in range(BOTS)]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        door = Door(http, *platform.urls)
        async with witnessed(day, own_supabase_server, people, platform.urls) as witnesses:
            asking = [
                asyncio.create_task(ask(door, number, person, administrator)) for number, person in enumerate(people)
            ]
            for processes in platform.processes.values():
                for process in processes:
                    assert await process.terminate() == 0, process.log()[-2000:]
                    await process.start()
                    await asyncio.sleep(SETTLING)
            await day.calm(trades=BOTS)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    print(json.dumps(dict(sorted(door.answers.items())), indent=1))
    assert door.failures == []
    assert all(witness.returns["resumed"] >= 1 for witness in witnesses)
