"""The main path: sign up, connect, watch, trade, stop; seen over REST, Socket.IO and in the database."""

from itertools import pairwise

import aiohttp
import pytest

from tests.e2e.stack import Stack
from tests.e2e.user import Json, Socket, User, log_in, money, until

pytestmark = pytest.mark.takes(75)

CANDLES = {"asset": "EURUSD-OTC", "timeframe": 5, "strategy": "hybrid"}
BOT = {"mode": "auto", "strategy": "aggressive", "amount": 25, "maxTimeframe": 10, "accountType": "demo"}


def ascending(candles: list[Json]) -> bool:
    return all(earlier["time"] < later["time"] for earlier, later in pairwise(candles))


async def start_bot(user: User) -> None:
    answer = await user.post("/api/bot/start-runtime", {"userId": user.id, "config": BOT})
    assert answer.status == 200, answer
    assert answer.body["success"] is True


async def test_a_new_user_connects_and_finds_a_demo_balance(user: User) -> None:
    answer = await user.post("/api/bot/connect")
    assert answer.body["success"] is True
    assert answer.body["balanceAmount"] == 10000
    [row] = await user.rows("bot_status")  # committed before the answer
    assert row["is_connected"] is True
    assert money(row["broker_balance"]) == 10000
    [profile] = await user.rows("profiles")
    assert profile["broker_user_id"] == user.broker_user_id


async def test_candles_reach_a_socket_in_order(connected: User) -> None:
    async with connected.socket() as socket:
        await socket.client.emit("subscribe-candles", CANDLES)
        assert await socket.wait("subscribed") == CANDLES
        [history] = socket.all("historical-candles")
        update = await socket.wait("candle-update", where=lambda candle: candle["time"] > history[-1]["time"])
        assert len(history) == 200
        assert ascending(history)
        assert all(candle["time"] % 5 == 0 for candle in history)
        assert update["low"] <= min(update["open"], update["close"])
        assert update["high"] >= max(update["open"], update["close"])


async def test_a_trade_from_start_to_stop(connected: User) -> None:
    async with connected.socket() as socket:
        await start_bot(connected)
        opened = await socket.wait("position:opened")
        closed = await socket.wait("position:closed")
        [row] = await connected.rows("trade_history", id=f"eq.{opened['tradeId']}")  # committed before the event
        await expect_one_trade(connected, opened, closed, row, socket)

        stopped = await connected.post("/api/bot/stop-runtime")
        assert stopped.status == 200, stopped
        await socket.wait("bot_status", where=lambda status: status["status"] == "stopped")
        assert (await connected.get("/api/bot/runtime-status")).body["isRunning"] is False
    await expect_balance_to_follow(connected)
    again = await connected.post("/api/bot/stop-runtime")
    assert (again.status, again.body["success"]) == (400, False)


async def test_a_fresh_session_amid_trading_loses_nothing_and_the_bot_goes_on(connected: User) -> None:
    async with connected.socket() as socket:
        await start_bot(connected)
        first = (await socket.wait("position:opened"))["positionId"]
        again = await connected.post("/api/bot/reconnect")
        assert (again.status, again.body["success"]) == (200, True)
        assert money(again.body["balance"]) == money(again.body["balanceAmount"]) > 0
        assert (await connected.get("/api/bot/runtime-status")).body["isRunning"] is True
        await socket.wait("position:closed", where=lambda position: position["positionId"] == first)
        await socket.wait("position:opened", where=lambda position: position["positionId"] != first)
        await connected.post("/api/bot/stop-runtime")
        await socket.wait("bot_status", where=lambda status: status["status"] == "stopped")
    await expect_balance_to_follow(connected)


async def expect_one_trade(user: User, opened: Json, closed: Json, row: Json, socket: Socket) -> None:
    """Every account of the trade tells the same story."""
    completed = await socket.wait("trade_completed", where=lambda trade: trade["tradeId"] == opened["tradeId"])
    score = await socket.wait("pnl_update", where=lambda score: score["totalTrades"] == 1)
    assert opened["amount"] == 25
    assert opened["accountType"] == "demo"
    assert opened["userId"] == user.id
    assert closed["positionId"] == completed["positionId"] == opened["positionId"] == row["external_id"]
    assert closed["resultado"] == completed["result"] == row["resultado"]
    assert money(closed["pnl"]) == money(score["pnl"]) == money(row["pnl"])
    assert row["status"] == "closed"
    assert row["direction"] == opened["direction"].lower()
    assert (money(row["pnl"]) > 0) == (row["resultado"] == "WIN")


async def expect_balance_to_follow(user: User) -> None:
    rows = await user.rows("trade_history")
    assert {row["status"] for row in rows} == {"closed"}  # a bot that stops waits for its position
    profit = sum(money(row["pnl"]) for row in rows)
    demo, real = [await user.get("/api/bot/balance", accountType=kind) for kind in ("demo", "real")]
    assert money(demo.body["balance"]["amount"]) == 10000 + profit
    assert real.body["balance"]["amount"] == 0


async def test_nobody_hears_or_reads_another_users_trades(
    connected: User, http: aiohttp.ClientSession, stack: Stack
) -> None:
    login = stack.facts.demo
    demo = await log_in(http, stack.facts, login.email, login.password)
    async with connected.socket() as mine, demo.socket() as theirs:
        await theirs.wait("position:opened")
        assert mine.all("position:opened") == mine.all("bot_status") == []
    assert await demo.rows("trade_history") != []
    for table in ("profiles", "bot_status", "trade_history", "trades_history"):
        assert await connected.rows(table, user_id=f"eq.{demo.id}") == [], table


@pytest.mark.parametrize("table", ["profiles", "bot_status", "trade_history", "admin_users"])
async def test_a_browser_without_a_log_in_reads_nothing(http: aiohttp.ClientSession, stack: Stack, table: str) -> None:
    facts = stack.facts
    headers = {"apikey": facts.supabase_publishable_key}
    async with http.get(f"{facts.supabase_url}/rest/v1/{table}", headers=headers) as response:
        assert response.status in (401, 403) or await response.json() == []


async def test_the_demo_users_bot_already_trades(http: aiohttp.ClientSession, stack: Stack) -> None:
    login = stack.facts.demo
    demo = await log_in(http, stack.facts, login.email, login.password)
    assert (await demo.get("/api/bot/status")).body["isConnected"] is True
    runtime = await demo.get("/api/bot/runtime-status")
    assert runtime.body["isRunning"] is True
    assert runtime.body["config"]["accountType"] == "demo"


async def test_the_administrator_sees_how_many_people_there_are(
    http: aiohttp.ClientSession, stack: Stack, user: User
) -> None:
    login = stack.facts.admin
    admin = await log_in(http, stack.facts, login.email, login.password)

    async def counted() -> bool:
        answer = await admin.get("/api/crm/stats")
        assert answer.status == 200
        contacts: int = answer.body["data"]["totalContacts"]
        return contacts >= 3  # demo, admin, and the user of this test

    await until(counted)
    assert (await user.get("/api/crm/stats")).status == 403
