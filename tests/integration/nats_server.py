"""A real nats-server, configured as the local stack configures it."""

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.nats import configuration, server_path
from libs.bus import Bus
from libs.bus.permissions import ADMIN, SERVICES
from libs.bus.topology import BUCKETS, STREAMS
from libs.contracts.clock import SystemClock
from tests.ports import free_port

Connect = Callable[..., Awaitable[Bus]]


class NatsServer:
    """A server process that tests may stop, kill, freeze and start again on the same data."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.passwords = {user: f"{user}-secret-of-tests" for user in (*SERVICES, ADMIN)}
        self._config = directory / "nats.conf"
        self._log = directory / "nats.log"
        self._config.write_text(
            configuration(port=self.port, monitor_port=free_port(), store=directory / "data", passwords=self.passwords)
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers; one that does not is ended."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([server_path(), "-c", self._config], stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"nats-server did not start: {self._log.read_text()}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def freeze(self) -> None:
        """Returns when every thread of the server stands still."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task")
        while any("T (stopped)" not in (task / "status").read_text() for task in tasks.iterdir()):
            time.sleep(0.001)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def environment(self, user: str) -> dict[str, str]:
        """The settings that make a service process use this server."""
        return {
            "PREGAO_NATS_URL": self.url,
            "PREGAO_NATS_USER": user,
            "PREGAO_NATS_PASSWORD": self.passwords[user],
        }


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A fresh server with empty storage."""
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.thaw()
    server.kill()


@pytest.fixture
async def connect(nats_server: NatsServer) -> AsyncIterator[Connect]:
    """`await connect("gateway")`: a bus of that user; all are closed at the end."""
    buses: list[Bus] = []

    async def connect(user: str = ADMIN, instance: str = "") -> Bus:
        bus = await Bus.connect(
            nats_server.url,
            user,
            nats_server.passwords[user],
            service=user,
            instance=instance or f"{user}-{len(buses)}",
            clock=SystemClock(),
        )
        buses.append(bus)
        return bus

    yield connect
    for bus in buses:
        await bus.close()


@pytest.fixture
async def bus(connect: Connect) -> Bus:
    """An administrator's bus, with every stream and bucket declared."""
    bus = await connect()
    await bus.ensure(*STREAMS, *BUCKETS)
    return bus


async def eventually(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Wait for what another process brings about; fails when the deadline passes."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)
