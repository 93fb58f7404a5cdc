"""What is stored sealed is sealed with the newest key: an older one may go once this has run, as far as it is asked."""

import asyncio

import structlog

from libs.store import StoreError
from libs.store.crm.seals import Seal, Seals
from services.crm.integrations import channels
from services.crm.keys import BadSeal, Keys
from services.crm.sending import webhooks
from services.crm.workflows import hook_secrets

log = structlog.get_logger()

_AFTER_A_FAILURE = 5.0
"""Seconds."""


class Sealing:
    def __init__(self, seals: Seals, keys: Keys) -> None:
        self._seals = seals
        self._keys = keys

    async def run(self) -> None:
        """Until everything is looked at once, which is when a process starts with another key."""
        while True:
            try:
                for seal in await self._seals.all():
                    await self._renew(seal)
                return
            except StoreError as error:
                log.warning("seals_wait", error=str(error))
            await asyncio.sleep(_AFTER_A_FAILURE)

    async def _renew(self, seal: Seal) -> None:
        try:
            renewed = self._renewed(seal)
        except BadSeal:
            log.error("seal_not_readable", kind=seal.kind, id=seal.id)
            return
        if renewed is not None and await self._seals.replace(seal, renewed):
            log.info("sealed_anew", kind=seal.kind, id=seal.id)

    def _renewed(self, seal: Seal) -> str | None:
        """None: it is sealed with the newest key. Raises BadSeal."""
        match seal.kind:
            case "integration":
                return self._keys.renewed(channels.sealed_for(seal.id), seal.sealed)
            case "webhook" | "previous":
                return self._keys.renewed(webhooks.sealed_for(seal.id), seal.sealed)
            case "hook":
                return hook_secrets.renewed(self._keys, seal.id, seal.sealed)
