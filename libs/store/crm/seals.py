"""Everything of the CRM that is stored sealed (functions `crm_*`)."""

from typing import Literal

import msgspec

from libs.store.database import Database
from libs.store.rows import read_value


class Seal(msgspec.Struct, frozen=True):
    kind: Literal["integration", "webhook", "previous", "hook"]
    """`previous`: of a webhook, the secret before. `hook`: of a workflow."""
    id: str
    sealed: str


class Seals:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> tuple[Seal, ...]:
        return read_value(await self._database.call("crm_seals"), tuple[Seal, ...])

    async def replace(self, seal: Seal, sealed: str) -> bool:
        """False: it is another one meanwhile."""
        data = await self._database.call("crm_reseal", kind=seal.kind, of_id=seal.id, before=seal.sealed, after=sealed)
        return read_value(data, bool)
