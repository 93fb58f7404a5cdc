"""Who has which role, asked of the database at most every two seconds per user.

A token says nothing of roles: what users write into their metadata is in it, too (crm-and-reliability §E9).
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from libs.contracts.clock import Clock
from services.socket_edge.identity import Identity
from services.socket_edge.route import Access

RoleOf = Callable[[str], Awaitable[str | None]]
"""The role of a user by their id; None for who has none, or no longer."""

_KEPT_SECONDS = 2.0
"""With the second between two looks at a socket, well within the five in which who loses a role is cut off."""
_KEPT_USERS = 1000


class Roles:
    def __init__(self, role_of: RoleOf, clock: Clock, *, second_factor: bool = False) -> None:
        """`second_factor`: who logged in without one has no role."""
        self._role_of = role_of
        self._clock = clock
        self._second_factor = second_factor
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    async def may(self, identity: Identity, access: Access) -> bool:
        """Whether the user has one of the roles that this needs."""
        if self._second_factor and not identity.second_factor:
            return False
        return await self._role(identity.user) in access.roles

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
