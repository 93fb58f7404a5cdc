"""A template is tried by mail, by administrators only and on themselves: it counts nowhere, and its links are as they
are written."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.integrations import Integrations
from services.crm.sending.channel import Channel, Outcome
from services.crm.sending.letter import Writer
from services.crm.sending.smtp import Mailer
from services.crm.templates.compiled import Written


class Trials:
    def __init__(
        self,
        integrations: Integrations,
        channels: Callable[[], Awaitable[Mapping[str, Channel]]],
        writer: Writer,
    ) -> None:
        self._integrations = integrations
        self._channels = channels
        self._writer = writer

    async def send(self, to: str, written: Written) -> Outcome:
        """Raises RpcError INVALID_REQUEST for an address that is no administrator's own, CONFLICT without a server."""
        if not await self._integrations.verified(to):
            raise RpcError(ErrorCode.INVALID_REQUEST, "`to` must be the confirmed address of an administrator")
        mailer = (await self._channels()).get("email")
        if not isinstance(mailer, Mailer):
            raise RpcError(ErrorCode.CONFLICT, "No mail server is configured, or all sending is stopped")
        return await mailer.deliver(self._writer.trial(UUID(new_id()), to, written))
