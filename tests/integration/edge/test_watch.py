"""`make watch` as a client of a running edge."""

import asyncio
import io
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import facts as stack_facts
from deploy.local.facts import Facts, Login, Nats, PaperBroker
from deploy.local.watch import Watch
from libs.contracts.bots import Activity
from libs.service import CannotStart
from tests.integration.edge.backend import EURUSD, HISTORY, Backend
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import Stack
from tests.integration.supabase_server import Person, SupabaseServer
from tests.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")


PASSWORD = "a-password-of-tests"


def facts(edge_url: str, supabase: SupabaseServer, person: Person, password: str = PASSWORD) -> Facts:
    login = Login(email=person.email, password=password, user_id=person.user)
    return Facts(
        edge_url=edge_url,
        supabase_url=supabase.url,
        supabase_publishable_key=supabase.publishable_key,
        supabase_secret_key="",
        supabase_jwt_secret="",
        demo=login,
        admin=login,
        nats=Nats(url="", monitor_url="", users={}),
        paper_broker=PaperBroker(ws_url="", session_url="", control_url="", api_token=""),
        mail_url="",
        health={},
        logs="",
        pids={},
    )


async def until(watch: Watch, condition: Callable[[str], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition(shown(watch)):
            await asyncio.sleep(0.05)


def shown(watch: Watch) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(watch.screen)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_it_shows_the_candle_the_bot_and_its_trades(
    edge: Edge, backend: Backend, supabase_server: SupabaseServer, person: Person
) -> None:
    await backend.score(person.user, wins=3, losses=1, total="12.50")
    await backend.status(person.user, Activity.ANALYZING)
    watch = Watch(facts(edge.url, supabase_server, person), "EURUSD-OTC", 60)
    running = asyncio.create_task(watch.run())
    await until(watch, lambda text: "C 1.1" in text and "socket: connected" in text)
    await backend.tick(EURUSD, HISTORY, close=1.875)
    await backend.opened(person.user, "order-1")
    await until(watch, lambda text: "C 1.875" in text and "EURUSD-OTC │ CALL" in text)
    await backend.closed(person.user, "order-1")
    await backend.score(person.user, order_id="order-1", wins=4, losses=1, total="20.70")
    await backend.status(person.user, Activity.WIN, order_id="order-1")
    await until(watch, lambda text: "Label of win" in text and "+20.70   4 won, 1 lost" in text and "+8.20" in text)
    await ended(running)


async def test_it_comes_back_after_the_edge_was_away(
    own_stack: Stack, supabase_server: SupabaseServer, person: Person
) -> None:
    watch = Watch(facts(own_stack.edge.url, supabase_server, person), "EURUSD-OTC", 60)
    running = asyncio.create_task(watch.run())
    await until(watch, lambda text: "socket: connected" in text)
    await own_stack.edge.process.terminate()
    await until(watch, lambda text: "connection lost" in text)
    await own_stack.edge.process.start()
    await until(watch, lambda text: "socket: connected" in text)
    await ended(running)


async def test_a_wrong_password_is_said(edge: Edge, supabase_server: SupabaseServer, person: Person) -> None:
    watch = Watch(facts(edge.url, supabase_server, person, password="wrong-password"), "EURUSD-OTC", 60)
    with pytest.raises(CannotStart, match=person.email):
        await watch.run()


async def test_an_edge_that_is_not_there_is_said(supabase_server: SupabaseServer, person: Person) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CannotStart, match=f"{url} does not answer"):
        await Watch(facts(url, supabase_server, person), "EURUSD-OTC", 60).run()


async def test_ctrl_c_ends_it_quietly(
    edge: Edge, supabase_server: SupabaseServer, person: Person, tmp_path: Path
) -> None:
    stack_facts.write(facts(edge.url, supabase_server, person), tmp_path)
    await edge.until_metric("pregao_edge_sockets", 0)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.local.watch", "--asset", "GBPUSD-OTC",
        env={**os.environ, "PREGAO_LOCAL_DIR": str(tmp_path)}, stdout=PIPE, stderr=PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    await edge.until_metric("pregao_edge_sockets", 1)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert "GBPUSD-OTC" in output.decode()


async def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.local.watch",
        env={**os.environ, "PREGAO_LOCAL_DIR": str(tmp_path)}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "make run" in errors.decode()
    assert len(errors.splitlines()) == 1
