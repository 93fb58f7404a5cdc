"""The platform that trades, each service twice, and people who trade there and look on."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from libs.contracts.bots import BotConfig
from tests.chaos.day import Day, Player
from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.service_process import ServiceProcess, StartService
from tests.integration.supabase_server import Person, SupabaseServer
from tests.operations.witness import Witness
from tests.ports import free_port

ACTIVES = [
    {"id": number, "ticker": f"DAY{number}-OTC", "name": f"Day {number}", "category": "forex", "price": 1.1}
    for number in range(1, 5)
]
CONFIG = {"amount": 5, "maxTimeframe": 5, "maxOpenPositions": 3, "protections": {"assetHold": None}}
BOT = msgspec.convert(CONFIG, BotConfig)
UNLIMITED = {f"PREGAO_EDGE_RATE_{kind}": "1000000" for kind in ("POLL", "READ", "WRITE", "COSTLY")}


async def start_broker(start_paper_broker: StartPaperBroker, directory: Path) -> PaperBroker:
    (directory / "actives.json").write_text(json.dumps(ACTIVES))
    return await start_paper_broker(PREGAO_PAPER_ACTIVES=str(directory / "actives.json"))


@dataclass(frozen=True, slots=True)
class Platform:
    processes: dict[str, list[ServiceProcess]]
    urls: tuple[str, ...]
    """Of the edges."""


async def start_platform(start: StartService, broker: PaperBroker, database: SupabaseServer) -> Platform:
    at_the_broker = {
        "PREGAO_BROKER_WS_URL": broker.ws_url,
        "PREGAO_BROKER_SESSION_URL": broker.session_url,
        "PREGAO_BROKER_API_TOKEN": broker.api_token,
        "PREGAO_BROKER_API_HOST": broker.api_url,
        "PREGAO_BROKER_SYSTEM_USER_ID": "1000001",
    }
    known, ports = database.environment, (free_port(), free_port())
    processes = {
        "gateway": [await start("broker_gateway", "gateway", **at_the_broker) for _ in range(2)],
        "bots": [await start("bot_runtime", "bots") for _ in range(2)],
        "analytics": [await start("analytics", "analytics", **known) for _ in range(2)],
        "crm": [await start("crm", "crm", **known) for _ in range(2)],
        "edge": [
            await start("socket_edge", "edge", PREGAO_EDGE_PORT=str(port), **known, **UNLIMITED) for port in ports
        ],
    }
    return Platform(processes, tuple(f"http://127.0.0.1:{port}" for port in ports))


@asynccontextmanager
async def witnessed(
    day: Day, database: SupabaseServer, people: Sequence[Person], urls: tuple[str, ...], *, told_openings: bool = True
) -> AsyncIterator[list[Witness]]:
    """While it is entered their bots trade and their browsers look on. When it is left all books agree, and each
    browser was told of each trade, once. `told_openings`: of their openings, too, which are old news where the ledger
    comes to know of both at once."""
    witnesses = [Witness(person, urls, number) for number, person in enumerate(people)]
    for witness in witnesses:
        await witness.start()
    await day.join([Player(person.user, 8_100_000 + number, BOT) for number, person in enumerate(people)])
    yield witnesses
    await day.end()
    rows = {person.user: await _closed(database, person) for person in people}
    for witness in witnesses:
        await witness.until_closed(rows[witness.person.user])
        await witness.stop()
    assert await day.compare() == []
    for witness in witnesses:
        each = dict.fromkeys(rows[witness.person.user], 1)
        opened, closed = witness.told("position:opened"), witness.told("position:closed")
        assert closed == each
        assert opened == each if told_openings else opened.items() <= each.items()
        assert witness.returns["resume-gap"] == 0
    assert sum(map(len, rows.values())) >= len(people)


async def _closed(database: SupabaseServer, person: Person) -> set[str]:
    """Their positions, of which `Day.end` has waited until all are closed."""
    rows = await database.as_service("GET", f"/rest/v1/trade_history?user_id=eq.{person.user}&select=external_id")
    return {str(row["external_id"]) for row in rows}
