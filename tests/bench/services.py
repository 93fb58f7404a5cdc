"""Services beside a real NATS and a real paper broker, each a process of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from libs.bus import Bus
from libs.bus.permissions import ADMIN
from libs.contracts.clock import SystemClock
from tests.integration.nats_server import NatsServer
from tests.integration.paper_broker import PaperBroker
from tests.integration.service_process import ServiceProcess


class Services:
    def __init__(self, nats: NatsServer, paper: PaperBroker, bus: Bus, directory: Path, stack: AsyncExitStack) -> None:
        self.bus = bus
        """With an operator's rights."""
        self._nats = nats
        self._paper = paper
        self._directory = directory
        self._stack = stack

    async def start_gateway(self) -> ServiceProcess:
        return await self.start(
            "broker_gateway",
            "gateway",
            PREGAO_BROKER_WS_URL=self._paper.ws_url,
            PREGAO_BROKER_SESSION_URL=self._paper.session_url,
            PREGAO_BROKER_API_TOKEN=self._paper.api_token,
            PREGAO_BROKER_API_HOST=self._paper.api_url,
            PREGAO_BROKER_SYSTEM_USER_ID="1",
        )

    async def start(self, package: str, user: str, **variables: str) -> ServiceProcess:
        """Ready when it returns. `user`: its name at NATS."""
        log = self._directory / f"{user}.log"
        process = ServiceProcess(f"services.{package}", self._nats.environment(user) | variables, log)
        self._stack.push_async_callback(process.stop)
        await process.start()
        return process


@asynccontextmanager
async def services(**paper_variables: str) -> AsyncIterator[Services]:
    with TemporaryDirectory() as name:
        directory = Path(name)
        async with AsyncExitStack() as stack:
            nats = NatsServer(directory)
            nats.start()
            stack.callback(nats.kill)
            paper = PaperBroker(directory, **paper_variables)
            stack.push_async_callback(paper.process.stop)
            await paper.start()
            bus = await Bus.connect(
                nats.url, ADMIN, nats.passwords[ADMIN], service=ADMIN, instance="bench", clock=SystemClock()
            )
            stack.push_async_callback(bus.close)
            yield Services(nats, paper, bus, directory, stack)
