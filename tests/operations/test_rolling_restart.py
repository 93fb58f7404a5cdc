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
import msgspec
import pytest

from libs.bus import Bus
from libs.contracts.bots import BotConfig
from tests.chaos.day import Day, Player
from tests.integration.nats_server import NatsServer
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service_process import ServiceProcess, StartService
from tests.integration.supabase_server import Person, SupabaseServer
from tests.operations.door import Door
from tests.operations.witness import Witness
from tests.ports import free_port

pytestmark = pytest.mark.timeout(600)

BOTS = 6
SETTLING = 4.0
"""Seconds that each new process is watched under load before the next one goes (of Kubernetes: the probe's period)."""
ACTIVES = [
    {"id": number, "ticker": f"DAY{number}-OTC", "name": f"Day {number}", "category": "forex", "price": 1.1}
    for number in range(1, 5)
]
CONFIG = {"amount": 5, "maxTimeframe": 5, "maxOpenPositions": 3, "protections": {"assetHold": None}}
UNLIMITED = {f"PREGAO_EDGE_RATE_{kind}": "1000000" for kind in ("POLL", "READ", "WRITE", "COSTLY")}
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
    actives = tmp_path / "actives.json"
    actives.write_text(json.dumps(ACTIVES))
    broker = await start_paper_broker(PREGAO_PAPER_ACTIVES=str(actives))
    at_the_broker = {
        "PREGAO_BROKER_WS_URL": broker.ws_url,
        "PREGAO_BROKER_SESSION_URL": broker.session_url,
        "PREGAO_BROKER_API_TOKEN": broker.api_token,
        "PREGAO_BROKER_API_HOST": broker.api_url,
        "PREGAO_BROKER_SYSTEM_USER_ID": "1000001",
    }
    database = own_supabase_server.environment
    ports = [free_port(), free_port()]
    rolled: dict[str, list[ServiceProcess]] = {
        "gateway": [await start_service("broker_gateway", "gateway", **at_the_broker) for _ in range(2)],
        "bots": [await start_service("bot_runtime", "bots") for _ in range(2)],
        "analytics": [await start_service("analytics", "analytics", **database) for _ in range(2)],
        "crm": [await start_service("crm", "crm", **database) for _ in range(2)],
        "edge": [
            await start_service("socket_edge", "edge", PREGAO_EDGE_PORT=str(port), **database, **UNLIMITED)
            for port in ports
        ],
    }
    day = Day(bus, nats_server, broker, own_supabase_server, [], seed=1)
    administrator = await own_supabase_server.sign_up()
    await own_supabase_server.appoint(administrator, "super_admin")
    people = [await own_supabase_server.sign_up() for _ in range(BOTS)]
    urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
    witnesses = [Witness(person, urls, number) for number, person in enumerate(people)]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        door = Door(http, *urls)
        for witness in witnesses:
            await witness.start()
        await day.join([Player(person.user, 8_100_000 + number, msgspec.convert(CONFIG, BotConfig))
                        for number, person in enumerate(people)])  # fmt: skip
        asking = [asyncio.create_task(ask(door, number, person, administrator)) for number, person in enumerate(people)]
        for processes in rolled.values():
            for process in processes:
                assert await process.terminate() == 0, process.log()[-2000:]
                await process.start()
                await asyncio.sleep(SETTLING)
        await day.calm(trades=BOTS)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await day.end()
        rows = {person.user: await closed(own_supabase_server, person) for person in people}
        for witness in witnesses:
            await witness.until_closed(rows[witness.person.user])
            await witness.stop()
    print(json.dumps(dict(sorted(door.answers.items())), indent=1))
    assert door.failures == []
    assert await day.compare() == []
    for witness in witnesses:
        each = dict.fromkeys(rows[witness.person.user], 1)
        assert witness.told("position:opened") == each
        assert witness.told("position:closed") == each
        assert witness.returns["resume-gap"] == 0
        assert witness.returns["resumed"] >= 1
    assert sum(map(len, rows.values())) >= BOTS


async def closed(database: SupabaseServer, person: Person) -> set[str]:
    """Their positions, of which `Day.end` has waited until all are closed."""
    rows = await database.as_service("GET", f"/rest/v1/trade_history?user_id=eq.{person.user}&select=external_id")
    return {str(row["external_id"]) for row in rows}
