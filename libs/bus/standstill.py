"""Leaving a server that still talks and stores nothing any more, because it does not reach the others of its cluster.

Nothing else ends such a connection: its pings are answered. Where there is no other server, there is none to go to.
"""

import asyncio

import structlog
from nats.aio.client import Client

from libs.contracts.clock import Clock

log = structlog.get_logger()

_PATIENCE = 10.0
"""Seconds without one answer of JetStream, though it was asked; more than an election takes (four to nine)."""


class Standstill:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._since: float | None = None
        self._leaving: asyncio.Task[None] | None = None

    def answered(self) -> None:
        self._since = None

    def unanswered(self) -> None:
        """JetStream was asked, and did not answer in time or was not there."""
        if not self._client.is_connected or len(self._client.servers) < 2:
            self._since = None
            return
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= _PATIENCE:
            self._since = None
            log.warning("bus_leaves_server", url=str(self._client.connected_url and self._client.connected_url.netloc))
            self._leaving = asyncio.create_task(self._client.force_reconnect())
