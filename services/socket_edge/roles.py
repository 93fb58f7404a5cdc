"""Who has which role, asked of the database at most every five seconds per user."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from libs.contracts.clock import Clock
from services.socket_edge.route import Access

RoleOf = Callable[[str], Awaitable[str | None]]
"""The role of a user by their id; None for who has none, or no longer."""

_KEPT_SECONDS = 5.0
_KEPT_USERS = 1000


class Roles:
    def __init__(self, role_of: RoleOf, clock: Clock) -> None:
        self._role_of = role_of
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    async def may(self, user: str, access: Access) -> bool:
        """Whether the user has one of the roles that this needs."""
        return await self._role(user) in access.roles

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
