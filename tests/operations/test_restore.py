"""The local stack loses what NATS and its database keep, and goes on with a backup: of NATS made while it ran, of the
database, which nobody but its server can open, when it was stopped."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from deploy.backup.streams import kept
from deploy.local.facts import Facts
from deploy.local.nats import server_path
from deploy.settings_table import ROOT
from libs.bus.permissions import ADMIN
from tests.e2e.stack import Stack
from tests.e2e.user import User, sign_up

pytestmark = pytest.mark.timeout(400)

BOT = {"mode": "auto", "strategy": "aggressive", "amount": 25, "maxTimeframe": 10, "accountType": "demo"}


def backup(facts: Facts, command: str, directory: Path) -> None:
    told = {
        "PREGAO_NATS_URL": facts.nats.url,
        "PREGAO_NATS_USER": ADMIN,
        "PREGAO_NATS_PASSWORD": facts.nats.users[ADMIN],
    }
    subprocess.run(
        [sys.executable, "-m", "deploy.backup", command, str(directory)],
        cwd=ROOT, env=os.environ | told, check=True, timeout=120,
    )  # fmt: skip


@contextmanager
def nats_alone(directory: Path) -> Iterator[None]:
    with subprocess.Popen([server_path(), "-c", str(directory / "nats.conf")]) as server:
        yield
        server.terminate()


async def one_trade(user: User) -> None:
    async with user.socket() as socket:
        answer = await user.post("/api/bot/start-runtime", {"userId": user.id, "config": BOT})
        assert answer.status == 200, answer
        await socket.wait("position:closed")
        assert (await user.post("/api/bot/stop-runtime")).status == 200
        await socket.wait("bot_status", where=lambda status: status["status"] == "stopped")


async def test_the_stack_goes_on_with_what_was_kept(tmp_path: Path) -> None:
    stack, kept_at = Stack(tmp_path / "stack"), tmp_path / "backup"
    (tmp_path / "stack").mkdir()
    try:
        facts = stack.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
            user = await sign_up(http, facts)
            assert (await user.post("/api/bot/connect")).status == 200
            await one_trade(user)
            rows = await user.rows("trade_history")
            backup(facts, "make", kept_at)
            assert {f"{name}.stream" for name in kept()} >= {file.name for file in kept_at.glob("*.stream")}
            assert stack.stop() == 0
            shutil.copytree(stack.directory / "supabase", kept_at / "supabase", symlinks=True)

            for lost in ("nats", "supabase"):
                shutil.rmtree(stack.directory / lost)
            shutil.copytree(kept_at / "supabase", stack.directory / "supabase", symlinks=True)
            with nats_alone(stack.directory):
                backup(facts, "restore", kept_at)

            stack.start()
            assert (await user.get("/api/bot/runtime-status")).body["isRunning"] is False
            assert {row["id"] for row in await user.rows("trade_history")} == {row["id"] for row in rows}
            assert (await user.post("/api/bot/connect")).status == 200
            await one_trade(user)
            assert len(await user.rows("trade_history")) > len(rows)
            assert stack.stop() == 0
    finally:
        stack.end()
