"""The channels as they are set up now: by administrators, or for mail by this process's settings."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

import msgspec
import structlog

from libs.contracts.clock import Clock
from libs.store import StoreError
from libs.store.crm.integrations import Integrations, StoredIntegration
from services.crm.keys import BadSeal, Keys
from services.crm.sending.channel import Channel
from services.crm.sending.letter import Writer
from services.crm.sending.outside import Outside
from services.crm.sending.pace import Pace
from services.crm.sending.provider import Provider
from services.crm.sending.smtp import Mailer, Security, Server
from services.crm.sending.unconfigured import Unconfigured

log = structlog.get_logger()

_LOOK = 4.0
"""Seconds between two looks at what other processes were told."""
PROVIDERS = ("sms", "push", "webhook")


def sealed_for(id: str) -> str:
    """What an integration's settings are sealed for."""
    return f"integration {id}"


class Channels:
    def __init__(
        self,
        integrations: Integrations,
        keys: Keys,
        outside: Outside,
        writer: Writer,
        own: Server | None,
        connections: int,
        rate: float,
        clock: Clock,
    ) -> None:
        """`own`: the mail server of this process's settings, which counts when no administrator has set one up. `rate`:
        mails a second at most."""
        self._integrations = integrations
        self._keys = keys
        self._outside = outside
        self._writer = writer
        self._own = own
        self._connections = connections
        self._clock = clock
        self._pace = Pace(rate, clock)
        self._known: dict[str, datetime] = {}
        self._looked = -_LOOK
        self._channels: dict[str, Channel] = {name: Unconfigured() for name in PROVIDERS}
        if own is not None:
            self._channels["email"] = self.mailer(own)
        else:
            log.warning("mails_wait_for_a_server", setting="PREGAO_MAIL_SMTP_HOST")
        self._stopped = False
        self._lock = asyncio.Lock()

    async def current(self, *, now: bool = False) -> Mapping[str, Channel]:
        """By name. A channel that is not there is one that mails wait for; while all sending is stopped none is. `now`:
        something was changed here."""
        async with self._lock:
            if now or self._clock.monotonic() - self._looked >= _LOOK:
                self._looked = self._clock.monotonic()
                try:
                    await self._look()
                except StoreError as error:
                    log.warning("integrations_not_read", error=str(error))
            return {} if self._stopped else dict(self._channels)

    def settings(self, stored: StoredIntegration) -> dict[str, str]:
        """Raises BadSeal."""
        return msgspec.json.decode(self._keys.open(sealed_for(stored.id), stored.sealed), type=dict[str, str])

    def mailer(self, server: Server) -> Mailer:
        return Mailer(server, self._writer, self._connections, pace=self._pace)

    def server(self, settings: Mapping[str, str]) -> Server:
        """Of an administrator's: it is outside."""
        return Server(
            settings["host"],
            int(settings.get("port", "587")),
            msgspec.convert(settings.get("security", "starttls"), Security),
            settings.get("user"),
            settings.get("password"),
            self._outside,
        )

    def provider(self, id: str, settings: Mapping[str, str]) -> Provider:
        return Provider(id, settings, self._outside, dict(self._writer.sender), self._clock)

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def _look(self) -> None:
        self._stopped = await self._integrations.stopped()
        for stored in await self._integrations.all():
            if self._known.get(stored.id) == stored.updated_at:
                continue
            self._known[stored.id] = stored.updated_at
            try:
                settings = self.settings(stored)
            except BadSeal:
                log.error("integration_not_readable", integration=stored.id)
                continue
            name = "email" if stored.id == "smtp" else stored.id
            before = self._channels.get(name)
            self._channels[name] = (
                self.mailer(self.server(settings)) if stored.id == "smtp" else self.provider(stored.id, settings)
            )
            if before is not None:
                await before.close()
