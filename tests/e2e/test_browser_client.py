"""What the client library of browsers, socket.io-client on Node, gets."""

import pytest

from tests.e2e.node_client import node_client, node_packages
from tests.e2e.stack import Stack
from tests.e2e.user import User

__all__ = ["node_packages"]

pytestmark = pytest.mark.usefixtures("node_packages")

BOT = {"mode": "auto", "amount": 5, "maxTimeframe": 10}


async def test_it_gets_candles_and_the_users_own_trade(connected: User, stack: Stack) -> None:
    async with node_client(connected, stack.facts.edge_url, "GBPUSD-OTC", 1) as client:
        await client.wait("connect")
        history = await client.wait("historical-candles")
        assert await client.wait("subscribed") == {"asset": "GBPUSD-OTC", "timeframe": 1, "strategy": "hybrid"}
        update = await client.wait("candle-update")
        assert len(history) == 200
        assert update["time"] >= history[-1]["time"]

        started = await connected.post("/api/bot/start-runtime", {"config": BOT})
        assert started.status == 200, started
        opened = await client.wait("position:opened")
        closed = await client.wait("position:closed")
        assert opened["userId"] == connected.id
        assert closed["tradeId"] == opened["tradeId"]
        assert closed["resultado"] in ("WIN", "LOSS", "TIE")


async def test_an_unknown_asset_is_an_error_event(user: User, stack: Stack) -> None:
    async with node_client(user, stack.facts.edge_url, "NO-SUCH-ASSET", 1) as client:
        error = await client.wait("subscription-error")
        assert error["error"] == "ASSET_NOT_FOUND"
        assert isinstance(error["message"], str)


async def test_a_wrong_token_is_refused(user: User, stack: Stack) -> None:
    user.token += "x"
    async with node_client(user, stack.facts.edge_url, "EURUSD-OTC", 1) as client:
        error = await client.wait("connect_error")
        assert error["message"] == "unauthorized"
