from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId, SessionIds
from tests.integration.quadcode.scripted_broker import ScriptedBroker

MakeClient = Callable[..., Client]


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    broker = ScriptedBroker()
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def make_client(broker: ScriptedBroker) -> AsyncIterator[MakeClient]:
    """A client of the scripted broker, not started; closed at the end."""
    clients: list[Client] = []

    def make(session_ids: SessionIds | None = None, *, timeout: float = 5.0, **options: Any) -> Client:
        client = Client(
            broker.url,
            session_ids or FixedSessionId("sim-1"),
            clock=SystemClock(),
            jitter=lambda: 0.0,
            timeout=timeout,
            **options,
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """Connected."""
    client = make_client()
    client.start()
    await client.wait_connected(5)
    return client
