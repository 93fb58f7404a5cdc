"""Whether a valid token still lets its user in: access tokens outlive logouts and bans (crm-and-reliability §E3).

Bans are told by analytics. Whether a session was ended only the Auth server's tables know: they are asked when one is
used that was not used here lately, and of all that were every two seconds. While they do not answer, who is not known
to be logged out is let in: nobody should be kept from stopping a bot.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable

import structlog

from libs.bus import Bus
from libs.bus.topology import PLATFORM
from libs.contracts import keys
from libs.contracts.clock import Clock
from libs.contracts.platform import BarredUser
from libs.store import StoreError
from libs.store.people import People
from services.socket_edge.errors import suspended, unauthorized
from services.socket_edge.identity import Identity

_PERIOD = 2.0
_RECENT = 10.0
"""Seconds after its last use for which a session is asked about."""
_LATELY = 0.5
"""Seconds for which a use counts as the last one, and as seen: pages ask much more often."""
_AT_ONCE = 2000
_PATIENCE = 2.0
"""Seconds for which a request waits to learn about its session."""
_REMEMBERED = 50_000
"""Sessions that ended; their tokens are valid for an hour at most."""

log = structlog.get_logger()


class Standing:
    def __init__(self, people: People, clock: Clock, seen: Callable[[str], None]) -> None:
        """`seen(user)` is told of everybody who was found to be let in."""
        self._people = people
        self._tell = seen
        self._clock = clock
        self._barred: set[str] = set()
        self._used: OrderedDict[str, float] = OrderedDict()
        """About when each session was used last, in monotonic seconds, the oldest first."""
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._new: set[str] = set()
        self._learning: asyncio.Task[None] | None = None
        """About those in `_new`, as soon as it runs."""

    async def follow(self, bus: Bus) -> None:
        """Who is barred, current when it returns and from then on."""

        def changed(key: str, entry: object) -> None:
            user = key.removeprefix(keys.barred(""))
            (self._barred.discard if entry is None else self._barred.add)(user)

        await bus.mirror(PLATFORM, keys.barred("*"), BarredUser, changed)

    async def admit(self, identity: Identity) -> None:
        """As `check`, of who begins to ask here."""
        self.check_user(identity.user)
        session = identity.session
        if session and session not in self._used and session not in self._ended:
            await self._learn(session)
        self.check(identity)

    def still(self, identity: Identity) -> bool:
        """As `check`; False where there is something to learn, too."""
        if identity.session and identity.session not in self._used:
            return False
        self.check(identity)
        return True

    def check(self, identity: Identity) -> None:
        """Raises ApiError: 403 for who is banned, 401 for a session that was ended."""
        self.check_user(identity.user)
        if identity.session:
            if identity.session in self._ended:
                raise unauthorized("This session was ended")
            now = self._clock.monotonic()
            if now - self._used.get(identity.session, -math.inf) < _LATELY:
                return
            self._used[identity.session] = now
            self._used.move_to_end(identity.session)
        self._tell(identity.user)

    def check_user(self, user: str) -> None:
        """Raises ApiError 403 for who is banned."""
        if user in self._barred:
            raise suspended()

    async def watch(self) -> None:
        """Until cancelled: learn which sessions were ended."""
        while True:
            await asyncio.sleep(_PERIOD)
            try:
                await self._ask()
            except StoreError as error:
                log.warning("ended_sessions_not_known", error=str(error))

    async def _learn(self, session: str) -> None:
        """Those who come in the same turn are asked about together: after a restart everybody comes at once."""
        if not self._new or self._learning is None:
            self._learning = asyncio.create_task(self._ask_new(), name="learn-sessions")
        self._new.add(session)
        await asyncio.shield(self._learning)

    async def _ask_new(self) -> None:
        new = list(self._new)
        self._new.clear()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._ask_about(new)
        except (StoreError, TimeoutError) as error:
            log.warning("new_sessions_not_known", sessions=len(new), error=str(error))

    async def _ask(self) -> None:
        oldest = self._clock.monotonic() - _RECENT
        while self._used and next(iter(self._used.values())) < oldest:
            self._used.popitem(last=False)
        await self._ask_about(list(self._used))

    async def _ask_about(self, sessions: list[str]) -> None:
        for start in range(0, len(sessions), _AT_ONCE):
            for session in await self._people.ended(sessions[start : start + _AT_ONCE]):
                self._ended[session] = None
                self._used.pop(session, None)
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
