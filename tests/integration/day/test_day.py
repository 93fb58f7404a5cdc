"""Whatever dies: the broker's ledger, the trade events, the database and every bot's score are the same in the end."""

import json
import os
from pathlib import Path

import pytest

from libs.bus import Bus
from tests.chaos.day import Day
from tests.integration.nats_server import NatsServer
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service_process import StartService
from tests.integration.supabase_server import SupabaseServer

pytestmark = pytest.mark.takes(80)

_BOTS = int(os.environ.get("PREGAO_CHAOS_BOTS", "40"))
_MINUTES = float(os.environ.get("PREGAO_CHAOS_MINUTES", "1"))
_SEED = int(os.environ.get("PREGAO_CHAOS_SEED", "1"))
_SYSTEM_USER = "1000001"
_ACTIVES = [
    {"id": number, "ticker": f"DAY{number}-OTC", "name": f"Day {number}", "category": "forex", "price": 1.1}
    for number in range(1, 9)
]


@pytest.mark.timeout(240 + 120 * _MINUTES)
async def test_a_day_of_many_bots_while_processes_die(
    bus: Bus,
    nats_server: NatsServer,
    start_paper_broker: StartPaperBroker,
    start_service: StartService,
    own_supabase_server: SupabaseServer,
    tmp_path: Path,
) -> None:
    """Repeat one with `make chaos SEED=…`."""
    actives = tmp_path / "actives.json"
    actives.write_text(json.dumps(_ACTIVES))
    broker = await start_paper_broker(PREGAO_PAPER_ACTIVES=str(actives))
    at_the_broker = {
        "PREGAO_BROKER_WS_URL": broker.ws_url,
        "PREGAO_BROKER_SESSION_URL": broker.session_url,
        "PREGAO_BROKER_API_TOKEN": broker.api_token,
        "PREGAO_BROKER_API_HOST": broker.api_url,
        "PREGAO_BROKER_SYSTEM_USER_ID": _SYSTEM_USER,
        "PREGAO_ORDER_GRACE": "5",
    }
    processes = [
        *[await start_service("broker_gateway", "gateway", **at_the_broker) for _ in range(2)],
        *[await start_service("bot_runtime", "bots", PREGAO_SCANNER="false") for _ in range(2)],
        await start_service("analytics", "analytics", **own_supabase_server.environment),
    ]
    day = Day(bus, nats_server, broker, own_supabase_server, processes, _SEED)
    await day.begin(_BOTS)
    await day.trouble(60 * _MINUTES)
    await day.calm(trades=_BOTS // 2)  # by chance something may have been dead at every close of a candle
    await day.end()
    problems = await day.compare()
    assert problems == [], "\n".join([f"seed {_SEED}", *day.deaths, *problems])
