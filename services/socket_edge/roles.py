"""Who is an administrator, asked of the database at most once a minute per user."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from libs.contracts.clock import Clock

RoleOf = Callable[[str], Awaitable[str | None]]
"""The role of a user by their id; None for who is no (active) administrator."""

_KEPT_SECONDS = 60.0
_KEPT_USERS = 1000
_ADMINISTRATORS = ("admin", "super_admin")


class Roles:
    def __init__(self, role_of: RoleOf, clock: Clock) -> None:
        self._role_of = role_of
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    async def is_admin(self, user: str) -> bool:
        return await self._role(user) in _ADMINISTRATORS

    async def _role(self, user: str) -> str | None:
        now = self._clock.monotonic()
        asked, role = self._known.get(user, (float("-inf"), None))
        if now - asked > _KEPT_SECONDS:
            role = await self._role_of(user)
            self._known[user] = (now, role)
            self._known.move_to_end(user)
            if len(self._known) > _KEPT_USERS:
                self._known.popitem(last=False)
        return role
