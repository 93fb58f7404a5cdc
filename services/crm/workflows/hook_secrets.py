"""What calls from outside that begin workflows are signed with: stored sealed, and told once."""

import secrets
from base64 import b64encode
from uuid import UUID

from libs.store.crm.workflows import Workflows
from services.crm.keys import Keys

BEGINS = "whsec_"
"""What secrets begin with; the rest is base64."""
_SEALED = "v1."
"""What those begin with that are stored."""


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

    def _seal(self, workflow: UUID, secret: str) -> str:
        return _SEALED + self._keys.seal(_of(workflow), secret)


def renewed(keys: Keys, workflow: str, stored: str) -> str | None:
    """Sealed with the newest key; None: it is. Raises BadSeal."""
    if stored.startswith(BEGINS):
        return _SEALED + keys.seal(_of(workflow), stored)
    sealed = keys.renewed(_of(workflow), stored.removeprefix(_SEALED))
    return None if sealed is None else _SEALED + sealed


def _of(workflow: UUID | str) -> str:
    return f"hook {workflow}"
