"""Tables `profiles` and `admin_users`."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from libs.store.database import Database
from libs.store.rows import read_rows


class Profile(msgspec.Struct, frozen=True):
    user_id: str
    broker_user_id: str | None = None
    """The user's id at the broker, digits."""


class _Role(msgspec.Struct, frozen=True):
    role: str


class People:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def profile(self, user: str) -> Profile | None:
        query = self._database.client.table("profiles").select("user_id,broker_user_id").eq("user_id", user).limit(1)
        return next(iter(read_rows(await self._database.execute(query, "profiles"), Profile)), None)

    async def role(self, user: str) -> str | None:
        """super_admin, admin, support or analyst; None for everybody else, also for a deactivated administrator."""
        table = self._database.client.table("admin_users")
        query = table.select("role").eq("user_id", user).eq("is_active", True).limit(1)
        return next((row.role for row in read_rows(await self._database.execute(query, "admin_users"), _Role)), None)

    async def appoint(self, user: str, email: str, role: str) -> None:
        """Make somebody an administrator, with one of the roles above."""
        row = {"user_id": user, "email": email, "role": role, "is_active": True}
        query = self._database.client.table("admin_users").upsert(row, on_conflict="email")
        await self._database.execute(query, "admin_users")

    async def barred(self, known: Iterable[str]) -> set[str]:
        """Everybody who is banned now, and of these users those who are gone."""
        return set(msgspec.convert(await self._database.call("barred_users", known=list(known)), list[str]))

    async def ended(self, sessions: Iterable[str]) -> set[str]:
        """Of these sessions of the Auth server those that were logged out, or whose user is gone."""
        return set(msgspec.convert(await self._database.call("ended_sessions", known=list(sessions)), list[str]))

    async def ban(self, user: str, until: datetime | None) -> bool:
        """Ban until then and end all sessions; None lifts the ban. False: there is no such user."""
        arguments = {"target": user, "until": until.isoformat() if until is not None else None}
        return bool(await self._database.call("ban_user", **arguments))
