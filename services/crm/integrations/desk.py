"""Integrations as administrators see, set up and try them. Secrets are sealed, and never told again."""

from collections.abc import Mapping
from typing import Any

import aiosmtplib
import msgspec

from libs.contracts.admin import Rows
from libs.contracts.crm import integrations as rpc
from libs.contracts.ids import new_id
from libs.contracts.rpc import Nothing
from libs.store.crm.integrations import Integrations, StoredIntegration
from services.crm.answering import Answer, not_found
from services.crm.integrations.channels import Channels, sealed_for
from services.crm.integrations.kinds import KINDS, Kind, checked
from services.crm.keys import BadSeal, Keys
from services.crm.sending.outside import NoAnswer, NotAllowed, Outside
from services.crm.sending.smtp import Server

_TRIAL = 8.0
"""Seconds for each answer of a mail server that is tried."""


class IntegrationDesk:
    """Raises RpcError: NOT_FOUND, INVALID_REQUEST."""

    def __init__(
        self,
        integrations: Integrations,
        channels: Channels,
        keys: Keys,
        outside: Outside,
        own: Server | None,
        *,
        private: bool,
    ) -> None:
        self._integrations = integrations
        self._channels = channels
        self._keys = keys
        self._outside = outside
        self._own = own
        self._private = private

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.INTEGRATIONS: self.find,
            rpc.INTEGRATION: self.one,
            rpc.CONFIGURE: self.configure,
            rpc.TEST: self.test,
            rpc.SENDING: self.sending,
            rpc.STOP_SENDING: self.stop_sending,
        }

    async def find(self, _: Nothing) -> Rows[rpc.Integration]:
        stored = {one.id: one for one in await self._integrations.all()}
        rows = tuple(self._told(kind, stored.get(kind.id)) for kind in KINDS.values())
        return Rows(rows=rows, total=len(rows))

    async def one(self, query: rpc.OfIntegration) -> rpc.Integration:
        kind = _kind(query.id)
        return self._told(kind, await self._stored(kind.id))

    async def configure(self, request: rpc.Configure) -> rpc.Integration:
        kind = _kind(request.id)
        settings = checked(kind, request.settings, self._outside, private=self._private)
        sealed = self._keys.seal(sealed_for(kind.id), msgspec.json.encode(settings).decode())
        await self._integrations.save(kind.id, sealed, tuple(sorted(settings)), request.by)
        await self._channels.current(now=True)
        return self._told(kind, await self._stored(kind.id))

    async def test(self, query: rpc.OfIntegration) -> rpc.Tested:
        """Really, but nobody is sent anything."""
        kind = _kind(query.id)
        stored = await self._stored(kind.id)
        try:
            if kind.id != "smtp":
                return await self._try_provider(kind, stored)
            server = self._channels.server(self._channels.settings(stored)) if stored is not None else self._own
        except BadSeal:
            return rpc.Tested(connected=False, message="Its settings cannot be read: set it up anew")
        if server is None:
            return _not_configured()
        try:
            client = await server.connect(_TRIAL)
            await client.quit()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return rpc.Tested(connected=False, message=f"{type(error).__name__}: {str(error)[:200]}")
        except NotAllowed as error:
            return rpc.Tested(connected=False, message=f"Not allowed: {error}")
        except NoAnswer as error:
            return rpc.Tested(connected=False, message=str(error))
        return rpc.Tested(connected=True, message="The mail server takes mails")

    async def sending(self, _: Nothing) -> rpc.Sending:
        return await self._integrations.sending()

    async def stop_sending(self, request: rpc.StopSending) -> rpc.Sending:
        """Here at once, elsewhere within seconds."""
        told = await self._integrations.stop_sending(request.why, request.by, stop=request.stop)
        await self._channels.current(now=True)
        return told

    async def _try_provider(self, kind: Kind, stored: StoredIntegration | None) -> rpc.Tested:
        if stored is None:
            return _not_configured()
        provider = self._channels.provider(kind.id, self._channels.settings(stored))
        try:
            status = await provider.post({"id": new_id(), "channel": kind.id, "test": True})
        except (NotAllowed, NoAnswer) as error:
            return rpc.Tested(connected=False, message=str(error))
        return rpc.Tested(connected=200 <= status < 300, message=f"The provider answered {status}")

    async def _stored(self, id: str) -> StoredIntegration | None:
        return next((one for one in await self._integrations.all() if one.id == id), None)

    def _told(self, kind: Kind, stored: StoredIntegration | None) -> rpc.Integration:
        names: tuple[str, ...] = stored.settings_set if stored is not None else ()
        if stored is None and kind.id == "smtp" and self._own is not None:
            given: Mapping[str, object] = {
                "host": self._own.host, "port": self._own.port, "security": self._own.security,
                "user": self._own.user, "password": self._own.password,
            }  # fmt: skip
            names = tuple(sorted(name for name, value in given.items() if value is not None))
        return rpc.Integration(
            id=kind.id,
            name=kind.name,
            type=kind.type,
            status="active" if names else "inactive",
            configured=bool(names),
            settings_set=names,
        )


def _kind(id: str) -> Kind:
    if id not in KINDS:
        raise not_found("integration")
    return KINDS[id]


def _not_configured() -> rpc.Tested:
    return rpc.Tested(connected=False, message="It is not configured")
