"""Calls from outside that begin workflows (Standard Webhooks). Who cannot sign learns nothing, not even which there
are."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from libs.contracts.clock import Clock
from libs.contracts.crm import workflow_runs as rpc
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.runs import Entry, Runs
from services.crm.answering import Answer, not_found
from services.crm.keys import BadSeal
from services.crm.sending.signature import BadSignature, check
from services.crm.workflows.hook_secrets import HookSecrets
from services.crm.workflows.kinds import read_params
from services.crm.workflows.params import Hook

log = structlog.get_logger()


class HookDesk:
    """Raises RpcError: NOT_FOUND, INVALID_REQUEST."""

    def __init__(self, runs: Runs, secrets: HookSecrets, clock: Clock, due: Callable[[], None]) -> None:
        """`due()`: runs are due."""
        self._runs = runs
        self._secrets = secrets
        self._clock = clock
        self._due = due

    def endpoints(self) -> dict[Any, Answer]:
        return {rpc.HOOK: self.call}

    async def call(self, call: rpc.HookCall) -> rpc.Hooked:
        hook = await self._runs.hook(call.id)
        if hook is None or not self._signed(hook.secret, call):
            raise not_found("workflow")
        data = _read(call.body)
        told = read_params("trigger", hook.params)
        address = _at(data, told.email_field if isinstance(told, Hook) else "email")
        contact = await self._runs.contact_by_email(address) if isinstance(address, str) else None
        if contact is None:
            return rpc.Hooked(began=False)
        event = {name: value for name, value in data.items() if isinstance(value, str | int | float | bool)}
        entry = Entry(
            workflow=call.id, version=hook.version, contact=contact, key=f"hook:{call.event_id}", node=hook.node,
            event={**event, "type": "webhook"},
        )  # fmt: skip
        began = await self._runs.enter([entry])
        self._due()
        return rpc.Hooked(began=bool(began))

    def _signed(self, stored: str, call: rpc.HookCall) -> bool:
        """Now, by the very text that came."""
        now = int(self._clock.now().timestamp())
        try:
            secret = self._secrets.opened(call.id, stored)
            check(secret, call.event_id, call.timestamp, call.signature, call.body.encode(), now)
        except BadSignature:
            return False
        except BadSeal:
            log.error("hook_secret_not_readable", workflow=str(call.id))
            return False
        return True


def _read(body: str) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        raise RpcError(ErrorCode.INVALID_REQUEST, "The body is no JSON object") from None


def _at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data
