"""What administrators do to users: tables of the Auth server, `admin_users`, and the record of it in
`user_activity_log` and `admin_logs`, in one transaction."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from libs.store.database import Database
from libs.store.rows import read_rows


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Literal["done", "unchanged", "not_found", "self", "outranked"]
    """`unchanged`: it was so already. `self`: nobody does this to themselves. `outranked`: the actor's role, as it is
    now, does not allow it."""
    activity_id: int | None
    """`user_activity_log.id`, when it was done."""


class _Email(msgspec.Struct, frozen=True):
    email: str


class UserActions:
    """Every method raises StoreError. `ip`: the address that the actor came from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def suspend(self, actor: str, target: str, reason: str, ip: str | None) -> Outcome:
        """Ban, and end all sessions at the Auth server."""
        return await self._act("suspend_user", actor, target, ip, reason=reason)

    async def activate(self, actor: str, target: str, ip: str | None) -> Outcome:
        return await self._act("activate_user", actor, target, ip)

    async def set_role(self, actor: str, target: str, role: str | None, ip: str | None) -> Outcome:
        """None dismisses."""
        return await self._act("set_role", actor, target, ip, new_role=role)

    async def note(self, actor: str, target: str, action: str, details: Mapping[str, Any], ip: str | None) -> int:
        """Record what was done elsewhere; the id of its entry."""
        data = await self._database.call(
            "note_action", actor=actor, target=target, action=action, details=dict(details), ip=ip
        )
        return msgspec.convert(data, int, strict=False)

    async def email(self, user: str) -> str | None:
        """Empty if the user has none; None if there is no such user."""
        rows = read_rows(await self._database.call("user_email", of_user=user), _Email)
        return rows[0].email if rows else None

    async def _act(self, function: str, actor: str, target: str, ip: str | None, **arguments: Any) -> Outcome:
        data = await self._database.call(function, actor=actor, target=target, ip=ip, **arguments)
        return read_rows(data, Outcome)[0]
