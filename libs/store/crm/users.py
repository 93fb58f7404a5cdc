"""What users did that the CRM does not know yet (table `crm_user_events`), and the CRM in numbers."""

import msgspec

from libs.contracts.crm.contacts import ContactStatus
from libs.store.database import Database
from libs.store.rows import read_value


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    statuses: dict[ContactStatus, int]
    """Contacts."""
    segments: int
    workflows: int
    campaigns: int
    templates: int
    mails: int


class CrmUsers:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, most: int) -> int:
        """Make contacts, facts and events of what users did, the oldest first; of how many rows."""
        return read_value(await self._database.call("crm_apply_user_events", at_most=most), int)

    async def tell_inactive(self, days: int, most: int) -> int:
        """Of everybody who has not traded for so many days, once; of how many."""
        return read_value(await self._database.call("crm_tell_inactive", days=days, at_most=most), int)

    async def figures(self) -> Figures:
        return read_value(await self._database.call("crm_stats"), Figures)
