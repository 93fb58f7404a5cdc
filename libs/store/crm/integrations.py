"""Services that send, as administrators have set them up."""

from datetime import datetime

import msgspec

from libs.contracts.crm.integrations import Sending
from libs.store.database import Database
from libs.store.rows import read_rows, read_value


class StoredIntegration(msgspec.Struct, frozen=True):
    id: str
    sealed: str
    settings_set: tuple[str, ...]
    updated_at: datetime


class _State(msgspec.Struct, frozen=True):
    stopped_at: datetime | None


class _Verified(msgspec.Struct, frozen=True):
    verified: bool


class Integrations:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[StoredIntegration]:
        query = self._database.client.table("crm_integrations").select("id,sealed,settings_set,updated_at").order("id")
        return read_rows(await self._database.execute(query, "crm_integrations"), StoredIntegration)

    async def save(self, id: str, sealed: str, names: tuple[str, ...], by: str) -> None:
        await self._database.call("crm_save_integration", of_id=id, of_sealed=sealed, names=list(names), actor=by)

    async def sending(self) -> Sending:
        return read_value(await self._database.call("crm_sending"), Sending)

    async def stopped(self) -> bool:
        """Whether nothing is to be sent."""
        query = self._database.client.table("crm_sending_state").select("stopped_at")
        rows = read_rows(await self._database.execute(query, "crm_sending_state"), _State)
        return any(row.stopped_at is not None for row in rows)

    async def stop_sending(self, why: str, by: str, *, stop: bool) -> Sending:
        """Or go on."""
        return read_value(await self._database.call("crm_stop_sending", stop=stop, because=why, actor=by), Sending)

    async def verified(self, address: str) -> bool:
        """Whether it is an administrator's own, confirmed address."""
        return read_value(await self._database.call("crm_verified_address", address=address), _Verified).verified
