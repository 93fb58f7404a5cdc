"""What a trade leaves behind for administrators: figures, and files of rows."""

import csv
import io

import aiohttp
import pytest

from tests.e2e.stack import Stack
from tests.e2e.user import User, log_in, until

pytestmark = [pytest.mark.takes(60), pytest.mark.timeout(180)]

BOT = {"mode": "auto", "strategy": "aggressive", "amount": 25, "maxTimeframe": 10, "accountType": "demo"}


@pytest.fixture
async def admin(http: aiohttp.ClientSession, stack: Stack) -> User:
    login = stack.facts.admin
    return await log_in(http, stack.facts, login.email, login.password)


@pytest.fixture
async def trade_id(connected: User) -> str:
    """Of a trade that is closed."""
    async with connected.socket() as socket:
        await connected.post("/api/bot/start-runtime", {"userId": connected.id, "config": BOT})
        closed = await socket.wait("position:closed")
        await connected.post("/api/bot/stop-runtime")
        await socket.wait("bot_status", where=lambda status: status["status"] == "stopped")
    return str(closed["tradeId"])


async def test_a_trade_is_told_in_figures_and_files(admin: User, connected: User, trade_id: str) -> None:
    answer = await admin.get("/api/admin/analytics/figures", userId=connected.id, accountType="demo")
    figures = answer.body["data"]
    assert figures["trades"] >= 1
    assert 0 < figures["acknowledgement"]["p50_ms"] < 5000
    assert figures["slippage"]["trades"] == figures["acknowledgement"]["trades"] >= 1
    assert abs(figures["slippage"]["p50"]) < 100, "basis points from the close that was decided on"
    assert figures["exposure"]["most_at_risk"] >= 25
    assert answer.body["ageSeconds"] < 10

    kind, file = await admin.file(f"/api/admin/trades/export?userId={connected.id}&accountType=demo")
    assert kind == "text/csv"
    rows = list(csv.DictReader(io.StringIO(file.decode(), newline="")))
    assert trade_id in [row["trade_id"] for row in rows]
    kind, report = await admin.file(f"/api/admin/trades/export?userId={connected.id}&accountType=demo&format=pdf")
    assert (kind, report[:5]) == ("application/pdf", b"%PDF-")

    path = f"/api/admin/trades/export?userId={connected.id}&accountType=demo"
    job = (await admin.call("POST", path)).body["data"]

    async def done() -> bool:
        return bool((await admin.get(f"/api/admin/exports/{job['id']}")).body["data"]["state"] == "done")

    await until(done)
    link = (await admin.get(f"/api/admin/exports/{job['id']}")).body["data"]["link"]
    assert (await admin.file(link))[1] == file
