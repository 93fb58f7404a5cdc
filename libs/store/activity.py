"""Table `user_activity_log`: what administrators did."""

from collections.abc import Mapping

from libs.store.database import Database

_TABLE = "user_activity_log"


class ActivityLog:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, actor: str, action: str, details: Mapping[str, object]) -> None:
        """Returns when it is committed. `details` are JSON values."""
        row = {"actor_id": actor, "action": action, "details": dict(details)}
        await self._database.execute(self._database.client.table(_TABLE).insert(row), _TABLE)
