"""Who may not come in, told to everybody who lets people in or acts for them; and their sessions to the broker ended.

The Auth server knows who is banned or deleted, and tells nobody. It is asked again and again, so that it does not
matter who did it and where: an administrator here, or one at the Auth server itself.
"""

import structlog

from libs.bus import Bus, BusError, Mirror
from libs.bus.topology import PLATFORM
from libs.contracts import keys
from libs.contracts.account import SessionState, SessionStatus
from libs.contracts.bots import BotStatus
from libs.contracts.platform import BarredUser
from libs.contracts.rpc import DISCONNECT, OfUser, RpcError
from libs.store import StoreError
from libs.store.people import People
from services.analytics.turns import take_turns

_PERIOD = 1.5
"""Seconds between two questions. Together with what follows a ban counts within five."""

log = structlog.get_logger()


class Barring:
    """Of all processes one asks."""

    def __init__(self, bus: Bus, people: People, bots: Mirror[BotStatus], sessions: Mirror[SessionStatus]) -> None:
        """`bots` and `sessions`: all there are."""
        self._bus = bus
        self._people = people
        self._bots = bots
        self._sessions = sessions

    async def run(self) -> None:
        """Until cancelled."""
        barred = await self._bus.mirror(PLATFORM, keys.barred("*"), BarredUser)
        await take_turns(self._bus, "barring", lambda: self._turn(barred), _PERIOD)

    async def _turn(self, barred: Mirror[BarredUser]) -> None:
        known = {entry.value.user for _, entry in barred.items()}
        acting = {entry.value.user for _, entry in self._bots.items() if entry.value.state.alive}
        try:
            now = await self._people.barred(known | acting)
            platform = self._bus.bucket(PLATFORM)
            for user in now - known:
                await platform.put(keys.barred(user), BarredUser(user=user, at=self._bus.clock.now()))
                log.warning("user_barred", user=user)
            for user in known - now:
                await platform.delete(keys.barred(user))
                log.warning("user_admitted_again", user=user)
            for user in now:
                await self._disconnect(user)
        except (StoreError, BusError) as error:
            log.warning("barred_users_not_known", error=str(error))

    async def _disconnect(self, user: str) -> None:
        """End the session to the broker; orders that are not settled are still followed."""
        session = self._sessions.get(keys.session(user))
        if session is None or session.state not in (SessionState.CONNECTING, SessionState.CONNECTED):
            return
        try:
            await self._bus.call(DISCONNECT, OfUser(user=user))
        except RpcError as error:
            log.warning("barred_user_not_disconnected", user=user, error=str(error))
