"""Handlers of `rpc.gateway.connect`, `.reconnect`, `.disconnect`, `.catalogue` and `.sign_up`: of any gateway.

They write down what is wanted; the gateway that holds the user's lease makes it so and publishes what became of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from libs.bus import Bus, BusError, Entry, Mirror
from libs.bus.rpc import Served
from libs.bus.topology import ACCOUNTS, CATALOGUE, DESIRED
from libs.contracts import keys, rpc
from libs.contracts.account import Balances, DesiredSession, SessionState, SessionStatus
from libs.contracts.ids import new_id
from libs.contracts.market import Catalogue
from libs.contracts.rpc import ConnectSession, ErrorCode, Nothing, OfUser, RpcError, SessionReport
from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable
from services.broker_gateway.market import CATALOGUE_KEY
from services.broker_gateway.ssid import SessionIds
from services.broker_gateway.users import BrokerUsers

_PATIENCE = 9.0
"""Seconds `connect` and `reconnect` wait for their outcome; their callers wait 10."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    wish: str
    """`DesiredSession.id`."""
    outcome: "asyncio.Future[SessionStatus]"


class Desk:
    def __init__(
        self,
        bus: Bus,
        ids: SessionIds,
        system_user_id: str,
        users: BrokerUsers,
        users_of: Callable[[str], set[str]],
    ) -> None:
        """`system_user_id`: the broker user that market data is read with, which is nobody's to trade on;
        `users_of(broker_user_id)`: who wants a session of it."""
        self._bus = bus
        self._ids = ids
        self._system_user_id = system_user_id
        self._users = users
        self._users_of = users_of
        self._desired = bus.bucket(DESIRED)
        self._accounts = bus.bucket(ACCOUNTS)
        self._waiting: dict[str, list[_Waiting]] = {}
        self._statuses: Mirror[SessionStatus] | None = None
        self._served: Served | None = None

    async def start(self) -> None:
        self._statuses = await self._bus.mirror(ACCOUNTS, keys.session("*"), SessionStatus, self._status_changed)
        self._served = await self._bus.serve(
            "gateway",
            {
                rpc.CONNECT: self.connect,
                rpc.RECONNECT: self.reconnect,
                rpc.DISCONNECT: self.disconnect,
                rpc.CATALOGUE: self.catalogue,
                rpc.SIGN_UP: self._users.sign_up,
            },
        )

    async def stop(self) -> None:
        if self._served is not None:
            await self._served.stop()

    async def connect(self, request: ConnectSession) -> SessionReport:
        """Raises RpcError: BROKER_REFUSED, BROKER_UNREACHABLE (it goes on trying; a later call may find it there)."""
        self._check(request)
        async with _in_time():
            status = await self._outcome(self._desire(request.user, request.broker_user_id, connected=True))
        return await self._report(status)

    async def reconnect(self, request: ConnectSession) -> SessionReport:
        """Raises RpcError as `connect`. A session that there is stays as it is when there is no new id for it.

        Those that are asked for at the same time share one id, and so one connection. Of an account that somebody else
        may have a session of, which a new id would interrupt, it is no more than `connect`.
        """
        self._check(request)
        async with _in_time():
            since = await self._new_id(request.broker_user_id) if self._has_or_may_have(request) else None
            desired = self._desire(request.user, request.broker_user_id, connected=True, fresh_since=since)
            status = await self._outcome(desired)
        return await self._report(status)

    async def disconnect(self, request: OfUser) -> SessionReport:
        """Idempotent. Orders that are not settled yet are still followed."""
        known = await self._desired.get(keys.desired_session(request.user), DesiredSession)
        if known is not None and known.value.connected:
            await self._write(self._desire(request.user, known.value.broker_user_id, connected=False))
        status = SessionStatus(user=request.user, at=self._bus.clock.now(), state=SessionState.DISCONNECTED)
        return await self._report(status)

    async def catalogue(self, _: Nothing) -> Catalogue:
        entry = await self._bus.bucket(CATALOGUE).get(CATALOGUE_KEY, Catalogue)
        if entry is None:
            raise RpcError(ErrorCode.UNAVAILABLE, "the broker's catalogue has not been read yet")
        return entry.value

    def _check(self, request: ConnectSession) -> None:
        if request.broker_user_id == self._system_user_id:
            raise RpcError(ErrorCode.BROKER_REFUSED, "this broker account is the platform's own")

    def _has_or_may_have(self, request: ConnectSession) -> bool:
        """The account: a broker id is only what a user says it is (`Tenure`)."""
        users = self._users_of(request.broker_user_id)
        status = self._statuses.get(keys.session(request.user)) if self._statuses is not None else None
        connected = status is not None and status.state is SessionState.CONNECTED
        return users <= {request.user} or (request.user in users and connected)

    async def _new_id(self, broker_user_id: str) -> datetime:
        try:
            return await self._ids.renew(broker_user_id)
        except AuthenticationRefused as error:
            raise RpcError(ErrorCode.BROKER_REFUSED, str(error)) from error
        except BrokerUnavailable as error:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, str(error)) from error

    async def _outcome(self, desired: DesiredSession) -> SessionStatus:
        """What becomes of a wish. Raises RpcError."""
        waiting = _Waiting(desired.id, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(desired.user, []).append(waiting)
        try:
            await self._write(desired)
            status = await waiting.outcome
        finally:
            self._waiting[desired.user].remove(waiting)
            if not self._waiting[desired.user]:
                del self._waiting[desired.user]
        if status.state is SessionState.FAILED:
            raise RpcError(ErrorCode.BROKER_REFUSED, status.reason)
        return status

    def _desire(
        self, user: str, broker_user_id: str, *, connected: bool, fresh_since: datetime | None = None
    ) -> DesiredSession:
        return DesiredSession(
            id=new_id(),
            user=user,
            at=self._bus.clock.now(),
            connected=connected,
            broker_user_id=broker_user_id,
            fresh_since=fresh_since,
        )

    async def _write(self, desired: DesiredSession) -> None:
        try:
            await self._desired.put(keys.desired_session(desired.user), desired)
        except BusError as error:
            raise RpcError(ErrorCode.TIMEOUT, f"the wish could not be stored: {error}") from error

    async def _report(self, status: SessionStatus) -> SessionReport:
        balances = await self._accounts.get(keys.balance(status.user), Balances)
        return SessionReport(status=status, balances=balances.value if balances else None)

    def _status_changed(self, _key: str, entry: Entry[SessionStatus] | None) -> None:
        if entry is None or entry.value.state is SessionState.CONNECTING:
            return
        for waiting in self._waiting.get(entry.value.user, ()):
            # A later wish than ours (its id sorts after) has taken our place: what became of it is our answer, too.
            if entry.value.request >= waiting.wish and not waiting.outcome.done():
                waiting.outcome.set_result(entry.value)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Raises RpcError BROKER_UNREACHABLE when it takes too long."""
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except TimeoutError:
        raise RpcError(ErrorCode.BROKER_UNREACHABLE, "the broker could not be reached in time") from None
