"""The CRM with everything around it that is real: the edge, the service, the bus and the database. Most tests share
one, because its start takes seconds; people and contacts of their own keep them apart."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp

from libs.bus import Bus
from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, CRM, STREAMS
from libs.contracts.clock import SystemClock
from libs.contracts.crm.events import CrmEvent
from libs.contracts.ids import new_id
from libs.contracts.subjects import ALL_CRM_EVENTS
from libs.store import Database
from tests.integration.crm.sending.post_office import PostOffice, open_post_office
from tests.integration.edge.client import ORIGIN, Edge
from tests.integration.edge.stack import UNLIMITED
from tests.integration.nats_server import NatsServer
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import Person, SupabaseServer
from tests.ports import free_port

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
EVENTS_SECRET = "what who delivers signs with"


@dataclass(frozen=True, slots=True)
class CrmStack:
    edge: Edge
    crm: ServiceProcess
    bus: Bus
    """An administrator's."""
    database: Database
    supabase: SupabaseServer
    boss: Person
    """Who may use the CRM."""
    office: PostOffice
    """Where mails go."""
    bounce_port: int
    """Where they come back."""

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The answer to the boss, below /api/crm."""
        sent = {} if body is None else {"json": body}
        got, answer, _ = await self.edge.ask(method, f"/api/crm/{path}", self.boss, **sent)
        assert got == status, answer
        return answer

    async def contact(self, **fields: Any) -> dict[str, Any]:
        """A new one."""
        answer = await self.ask("POST", "contacts", {"email": f"{new_id()}@example.test"} | fields)
        made: dict[str, Any] = answer["data"]
        return made

    async def events(self, contact: str, *types: str) -> list[CrmEvent]:
        """What was told of it so far, of these types."""
        told = await self.bus.past(CRM, ALL_CRM_EVENTS, CrmEvent, LONG_AGO)
        return [one for one in told if str(one.contact_id) == contact and (not types or one.type in types)]

    async def until_told(self, contact: str, type: str, many: int = 1) -> list[CrmEvent]:
        async with asyncio.timeout(20):
            while len(events := await self.events(contact, type)) < many:
                await asyncio.sleep(0.05)
            return events


@asynccontextmanager
async def running(
    directory: Path, supabase: SupabaseServer, variables: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[CrmStack]:
    async with AsyncExitStack() as stack:
        nats = NatsServer(directory)
        nats.start()
        stack.callback(nats.kill)
        bus = await Bus.connect(
            nats.url, ADMIN, nats.passwords[ADMIN], service=ADMIN, instance="tests", clock=SystemClock()
        )
        stack.push_async_callback(bus.close)
        await bus.ensure(*STREAMS, *BUCKETS)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))
        database = await stack.enter_async_context(await Database.connect(supabase.url, supabase.secret_key))
        office = await stack.enter_async_context(open_post_office())
        bounce_port = free_port()
        mails = mail_settings(office.port, bounce_port)
        crm = ServiceProcess(
            "services.crm",
            nats.environment("crm") | supabase.environment | mails | dict(variables),
            directory / "crm.log",
        )
        stack.push_async_callback(crm.stop)
        port = free_port()
        environment = nats.environment("edge") | supabase.environment | UNLIMITED
        environment |= {"PREGAO_EDGE_CORS_ORIGINS": ORIGIN, "PREGAO_EDGE_PORT": str(port), **variables}
        process = ServiceProcess("services.socket_edge", environment, directory / "edge.log")
        stack.push_async_callback(process.stop)
        await asyncio.gather(crm.start(), process.start())
        boss = await supabase.sign_up()
        await supabase.appoint(boss, "admin")
        yield CrmStack(Edge(port, process, http), crm, bus, database, supabase, boss, office, bounce_port)


def mail_settings(port: int, bounce_port: int) -> dict[str, str]:
    return {
        "PREGAO_MAIL_SMTP_HOST": "127.0.0.1",
        "PREGAO_MAIL_SMTP_PORT": str(port),
        "PREGAO_MAIL_SMTP_SECURITY": "none",
        "PREGAO_MAIL_PACE": "0",
        "PREGAO_CRM_PRIVATE_TARGETS": "true",
        "PREGAO_MAIL_BOUNCE_DOMAIN": "bounces.example.test",
        "PREGAO_MAIL_BOUNCE_HOST": "127.0.0.1",
        "PREGAO_MAIL_BOUNCE_PORT": str(bounce_port),
        "PREGAO_MAIL_EVENTS_SECRET": EVENTS_SECRET,
        "PREGAO_MAIL_PUBLIC_URL": "http://mail.example.test:9999",
    }
