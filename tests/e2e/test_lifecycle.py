"""Starting, stopping, and failing to start."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from deploy.local.facts import Facts
from tests.e2e.stack import Stack
from tests.e2e.user import User, log_in, money, until

pytestmark = pytest.mark.takes(65)

DEMO_AT_BROKER = "2000001"


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that the test may stop; others may run beside it."""
    stack = Stack(tmp_path / "own")
    yield stack
    stack.end()
    assert stack.processes() == []


async def demo_user(http: aiohttp.ClientSession, facts: Facts) -> User:
    return await log_in(http, facts, facts.demo.email, facts.demo.password)


@pytest.mark.timeout(180)
async def test_ctrl_c_leaves_no_process_and_no_trade_is_lost(http: aiohttp.ClientSession, own_stack: Stack) -> None:
    first = own_stack.start()
    demo = await demo_user(http, first)
    async with demo.socket() as socket:
        opened = await socket.wait("position:opened")
        run = (await demo.get("/api/bot/runtime-status")).body["pid"]
        assert own_stack.interrupt() == 0
    assert own_stack.processes() == []
    assert not (own_stack.directory / "stack.json").exists()

    second = own_stack.start()
    assert (second.demo, second.supabase_jwt_secret) == (first.demo, first.supabase_jwt_secret)
    demo = await demo_user(http, second)
    status = (await demo.get("/api/bot/runtime-status")).body
    assert (status["isRunning"], status["pid"]) == (True, run)  # the same run goes on
    await until(lambda: settled(demo, opened["positionId"]))
    await expect_books_to_agree(http, second, demo)


async def settled(user: User, position: int) -> bool:
    [row] = await user.rows("trade_history", external_id=f"eq.{position}")
    return bool(row["status"] == "closed")


async def expect_books_to_agree(http: aiohttp.ClientSession, facts: Facts, user: User) -> None:
    """After the restart the bot trades on; stopped, every position of the broker is one closed row."""
    async with user.socket() as socket:
        await socket.wait("position:closed")
        await user.post("/api/bot/stop-runtime")
        await socket.wait("bot_status", where=lambda status: status["status"] == "stopped")
    rows = await user.rows("trade_history")
    assert {row["status"] for row in rows} == {"closed"}
    assert {row["external_id"] for row in rows} == {position["external_id"] for position in await booked(http, facts)}
    balance = await user.get("/api/bot/balance")
    assert money(balance.body["balance"]["amount"]) == 10000 + sum(money(row["pnl"]) for row in rows)


async def booked(http: aiohttp.ClientSession, facts: Facts) -> list[dict[str, object]]:
    """The positions of the demo user in the broker's own books."""
    url, headers = facts.paper_broker.control_url, {"Authorization": f"Bearer {facts.paper_broker.api_token}"}
    async with http.get(f"{url}/positions", params={"user": DEMO_AT_BROKER}, headers=headers) as response:
        positions: list[dict[str, object]] = await response.json()
        return positions


async def test_two_stacks_run_side_by_side_and_share_nothing(
    http: aiohttp.ClientSession, stack: Stack, own_stack: Stack
) -> None:
    mine, other = own_stack.start(), stack.facts
    demo = await demo_user(http, mine)
    stranger = User(http, other, demo.id, demo.token, "")
    assert (await demo.get("/api/bot/status")).status == 200
    assert (await stranger.get("/api/bot/status")).status == 401
    assert mine.demo.password != other.demo.password
    own_stack.kill()  # and if its launcher dies, it ends, and the other does not
    await until(lambda: gone(own_stack))
    assert (await User(http, other, "", "", "").get("/health")).status == 200


async def gone(stack: Stack) -> bool:
    return stack.processes() == []


@pytest.mark.parametrize("setting", ["PREGAO_EDGE_PORT", "PREGAO_SUPABASE_PORT", "PREGAO_CRM_HEALTH_PORT"])
def test_a_busy_port_is_one_line_that_names_it_and_its_setting(stack: Stack, tmp_path: Path, setting: str) -> None:
    busy = stack.settings["PREGAO_NATS_PORT"]
    refused = Stack(tmp_path / "refused", {setting: busy})
    refused.launch()
    assert refused.wait() == 1
    assert refused.said() == f"port {busy} is busy; {setting} changes it\n"
    assert not refused.directory.exists()


def test_a_directory_in_use_is_one_line_that_names_it_and_its_setting(stack: Stack, tmp_path: Path) -> None:
    refused = Stack(tmp_path / "unused")
    refused.settings["PREGAO_LOCAL_DIR"] = str(stack.directory)
    refused.launch()
    assert refused.wait() == 1
    said = f"a stack already runs on the data in {stack.directory}; PREGAO_LOCAL_DIR changes it\n"
    assert refused.output.read_text() == said


def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path) -> None:
    refused = Stack(tmp_path / "refused", {"PREGAO_EDGE_PORT": "http"})
    refused.launch()
    assert refused.wait() == 2
    assert refused.said().startswith("PREGAO_EDGE_PORT: ")
    assert refused.said().count("\n") == 1


def test_a_part_that_fails_is_one_line_that_names_it_its_reason_and_its_log(own_stack: Stack) -> None:
    own_stack.settings["PREGAO_PAPER_SPEED"] = "fast"
    own_stack.launch()
    assert own_stack.wait() == 1
    line = own_stack.said().splitlines()[-1]
    log = own_stack.directory / "logs" / "paper-broker.log"
    assert line.startswith("paper-broker ended with code 2: PREGAO_PAPER_SPEED: ")
    assert f"log: {log}" in line
    assert "PREGAO_PAPER_PORT" in line


def test_ctrl_c_while_it_starts_ends_it(own_stack: Stack) -> None:
    own_stack.launch()
    while not (own_stack.directory / "logs" / "infrastructure.log").exists():
        time.sleep(0.01)
    assert own_stack.stop(signal.SIGINT) == 130
    assert own_stack.processes() == []
