"""Bot runtime, gateway and paper broker together: nothing scripted."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from libs.bus import Bus
from libs.contracts.bots import BotConfig, BotState
from libs.contracts.rpc import CONNECT, ConnectSession
from services.bot_runtime import labels
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.observer import Observer
from tests.integration.nats_server import eventually
from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.service_process import StartService
from tests.messages import USER

pytestmark = pytest.mark.takes(35)

BROKER_USER = 4711
TICKERS = ("EURUSD-OTC", "GBPUSD-OTC", "USDJPY-OTC")
ROUND = 40.0
"""Seconds: a candle, a signal, an option and what is told of it."""


@pytest.fixture
async def broker(
    start_paper_broker: StartPaperBroker, start_service: StartService, bus: Bus, tmp_path: Path
) -> PaperBroker:
    """With three actives, a gateway that holds the market, and the user's session."""
    actives = tmp_path / "actives.json"
    actives.write_text(
        json.dumps(
            [
                {"id": number, "ticker": ticker, "name": ticker, "category": "forex", "price": 1.1}
                for number, ticker in enumerate(TICKERS, start=76)
            ]
        )
    )
    paper = await start_paper_broker(PREGAO_PAPER_ACTIVES=str(actives))
    gateway = await start_service(
        "broker_gateway",
        "gateway",
        PREGAO_BROKER_WS_URL=paper.ws_url,
        PREGAO_BROKER_SESSION_URL=paper.session_url,
        PREGAO_BROKER_API_TOKEN=paper.api_token,
        PREGAO_BROKER_API_HOST=paper.api_url,
        PREGAO_BROKER_SYSTEM_USER_ID="1",
    )
    await bus.call(CONNECT, ConnectSession(user=USER, broker_user_id=str(BROKER_USER)))
    await eventually(lambda: bool(gateway.logged("market_held")))
    return paper


@pytest.mark.timeout(150)
async def test_a_bot_trades_is_killed_recovers_and_stops(
    broker: PaperBroker, start_runtime: StartRuntime, observer: Observer
) -> None:
    runtime = await start_runtime()
    await observer.start_bot(config=BotConfig(amount=Decimal(7)))
    await observer.label(labels.TRACKING, timeout=ROUND)

    await runtime.kill()
    await start_runtime()
    assert (await observer.score(1, timeout=ROUND)).trades == 1

    await observer.until(lambda: observer.labels().count(labels.TRACKING) == 2, timeout=ROUND)
    assert (await observer.stop_bot()).state is BotState.STOPPING
    assert (await observer.label("Bot Stopped", timeout=ROUND)).state is BotState.STOPPED
    pnl = await observer.score(2)

    books = await broker.positions(BROKER_USER)
    assert pnl.trades == len(books) == 2
    assert pnl.total == sum(Decimal(str(position["pnl"])) for position in books)
    assert {position["invest"] for position in books} == {7}
