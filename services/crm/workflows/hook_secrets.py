"""What calls from outside that begin workflows are signed with: stored sealed, and told once."""

import asyncio
import secrets
from base64 import b64encode
from uuid import UUID

import structlog

from libs.store import StoreError
from libs.store.crm.workflows import Workflows
from services.crm.keys import Keys

log = structlog.get_logger()

BEGINS = "whsec_"
"""What secrets begin with; the rest is base64."""
_SEALED = "v1."
"""What those begin with that are stored."""
_AFTER_A_FAILURE = 5.0
"""Seconds."""


class HookSecrets:
    def __init__(self, workflows: Workflows, keys: Keys) -> None:
        self._workflows = workflows
        self._keys = keys

    async def renew(self, workflow: UUID, by: str) -> str | None:
        """Another one; None: there is no such workflow. Raises StoreError."""
        secret = BEGINS + b64encode(secrets.token_bytes(32)).decode()
        done = await self._workflows.renew_hook_secret(workflow, self._seal(workflow, secret), by)
        return secret if done else None

    def opened(self, workflow: UUID, stored: str) -> str:
        """Raises BadSeal."""
        if stored.startswith(BEGINS):
            return stored  # not sealed yet
        return self._keys.open(_of(workflow), stored.removeprefix(_SEALED))

    async def run(self) -> None:
        """Seal those that are not yet, of before there were seals; until none is left."""
        while True:
            try:
                for hook in await self._workflows.unsealed_hooks():
                    await self._workflows.seal_hook(hook.id, hook.secret, self._seal(hook.id, hook.secret))
                    log.info("hook_secret_sealed", workflow=str(hook.id))
                return
            except StoreError as error:
                log.warning("hook_secrets_wait", error=str(error))
            await asyncio.sleep(_AFTER_A_FAILURE)

    def _seal(self, workflow: UUID, secret: str) -> str:
        return _SEALED + self._keys.seal(_of(workflow), secret)


def _of(workflow: UUID) -> str:
    return f"hook {workflow}"
