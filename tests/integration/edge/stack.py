"""An edge with everything around it. Most tests share one, because its start takes seconds; users keep them apart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from libs.bus import Bus
from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, STREAMS
from libs.contracts.clock import SystemClock
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import ORIGIN, Browser, Edge
from tests.integration.nats_server import NatsServer
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import Person, SupabaseServer
from tests.ports import free_port


@dataclass(frozen=True, slots=True)
class Stack:
    nats: NatsServer
    backend: Backend
    edge: Edge
    """The first of them."""
    edges: tuple[Edge, ...]


@asynccontextmanager
async def running(
    directory: Path, supabase: SupabaseServer, edges: int = 1, variables: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Stack]:
    async with AsyncExitStack() as stack:
        nats = NatsServer(directory)
        nats.start()
        stack.callback(nats.kill)
        admin, *services = [await _bus(nats, user, stack) for user in (ADMIN, "gateway", "bots", "analytics", "crm")]
        await admin.ensure(*STREAMS, *BUCKETS)
        backend = Backend(*services)
        await backend.start()
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        environment = nats.environment("edge") | supabase.environment
        environment |= {"PREGAO_EDGE_CORS_ORIGINS": ORIGIN, "PREGAO_EDGE_VISIT_INTERVAL": "0.3"}
        started = []
        for number in range(edges):
            port = free_port()
            log = directory / f"edge-{number}.log"
            own = {**environment, "PREGAO_EDGE_PORT": str(port), **variables}
            process = ServiceProcess("services.socket_edge", own, log)
            stack.push_async_callback(process.stop)
            await process.start()
            started.append(Edge(port, process, http))
        yield Stack(nats, backend, started[0], tuple(started))


async def _bus(nats: NatsServer, user: str, stack: AsyncExitStack) -> Bus:
    bus = await Bus.connect(
        nats.url, user, nats.passwords[user], service=user, instance=f"{user}-of-tests", clock=SystemClock()
    )
    stack.push_async_callback(bus.close)
    return bus


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_stack(
    supabase_server: SupabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    async with running(tmp_path_factory.mktemp("edge"), supabase_server) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def own_stack(
    request: pytest.FixtureRequest, supabase_server: SupabaseServer, tmp_path: Path
) -> AsyncIterator[Stack]:
    """For a test that breaks something, or sets something: `parametrize("own_stack", [{…}], indirect=True)`."""
    async with running(tmp_path, supabase_server, **getattr(request, "param", {})) as stack:
        yield stack


UNLIMITED = {f"PREGAO_EDGE_RATE_{kind}": "1000000" for kind in ("POLL", "READ", "WRITE", "COSTLY")}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def unlimited_stack(
    supabase_server: SupabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """For tests that ask for everything: shared, logs everything, and serves a client's pages."""
    directory = tmp_path_factory.mktemp("unlimited")
    (directory / "client" / "assets").mkdir(parents=True)
    (directory / "client" / "index.html").write_text("<html><head></head><body>The client</body></html>")
    (directory / "client" / "assets" / "index-1.js").write_text("console.log('the client')")
    variables = {"PREGAO_LOG_LEVEL": "DEBUG", "PREGAO_EDGE_CLIENT_DIR": str(directory / "client")}
    variables["PREGAO_EDGE_SOCKET_EVENTS"] = "1000"
    async with running(directory, supabase_server, variables=UNLIMITED | variables) as stack:
        yield stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def super_admin(supabase_server: SupabaseServer) -> Person:
    person = await supabase_server.sign_up("9" + str(free_port()))
    await supabase_server.appoint(person, "super_admin")
    return person


@pytest.fixture
def edge(shared_stack: Stack) -> Edge:
    return shared_stack.edge


@pytest.fixture
def backend(shared_stack: Stack) -> Iterator[Backend]:
    shared_stack.backend.reset()
    yield shared_stack.backend
    shared_stack.backend.reset()


Browse = Callable[..., Awaitable[Browser]]


@pytest.fixture
def browsed_stack(request: pytest.FixtureRequest) -> Stack:
    """Not async: in a running loop a stack could not be started."""
    stack: Stack = request.getfixturevalue("own_stack" if "own_stack" in request.fixturenames else "shared_stack")
    return stack


@pytest_asyncio.fixture(loop_scope="session")
async def browse(browsed_stack: Stack) -> AsyncIterator[Browse]:
    """`await browse(person)`: a connected socket of that person, to the edge of this test."""
    browsers: list[Browser] = []

    async def browse(person: Person | None = None, *events: str, edge: Edge | None = None, **changes: Any) -> Browser:
        browser = Browser(*events)
        browsers.append(browser)
        arguments: dict[str, Any] = {"auth": {"token": person.token} if person else None, "transports": ["websocket"]}
        await browser.socket.connect((edge or browsed_stack.edge).url, **arguments | changes)
        return browser

    yield browse
    for browser in browsers:
        await browser.socket.disconnect()


@pytest_asyncio.fixture(loop_scope="session")
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up("9" + str(free_port()))


@pytest_asyncio.fixture(loop_scope="session")
async def somebody_else(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up("8" + str(free_port()))


async def eventually(edge: Edge, path: str, person: Person, condition: Callable[[int, Any], object]) -> Any:
    """The body, once another process's news has reached the edge."""
    async with asyncio.timeout(10):
        while True:
            status, body = await edge.get(path, person)
            if condition(status, body):
                return body
            await asyncio.sleep(0.01)
