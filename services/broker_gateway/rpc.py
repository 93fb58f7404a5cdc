"""Handlers of `rpc.gateway.connect`, `.disconnect`, `.catalogue` and `.sign_up`: any gateway may answer them.

They write down what is wanted; the gateway that holds the user's lease makes it so and publishes what became of it.
"""

import asyncio
from dataclasses import dataclass

from libs.bus import Bus, BusError, Entry, Mirror
from libs.bus.rpc import Served
from libs.bus.topology import ACCOUNTS, CATALOGUE, DESIRED
from libs.contracts import keys, rpc
from libs.contracts.account import Balances, DesiredSession, SessionState, SessionStatus
from libs.contracts.ids import new_id
from libs.contracts.market import Catalogue
from libs.contracts.rpc import ConnectSession, ErrorCode, Nothing, OfUser, RpcError, SessionReport
from services.broker_gateway.market import CATALOGUE_KEY
from services.broker_gateway.users import BrokerUsers

_PATIENCE = 9.0
"""Seconds `connect` waits for its outcome; its callers wait 10."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    wish: str
    """`DesiredSession.id`."""
    outcome: "asyncio.Future[SessionStatus]"


class Desk:
    def __init__(self, bus: Bus, system_user_id: str, users: BrokerUsers) -> None:
        """`system_user_id`: the broker user that market data is read with, which is nobody's to trade on."""
        self._bus = bus
        self._system_user_id = system_user_id
        self._users = users
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
        if request.broker_user_id == self._system_user_id:
            raise RpcError(ErrorCode.BROKER_REFUSED, "this broker account is the platform's own")
        desired = self._desire(request.user, request.broker_user_id, connected=True)
        waiting = _Waiting(desired.id, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(request.user, []).append(waiting)
        try:
            await self._write(desired)
            async with asyncio.timeout(_PATIENCE):
                status = await waiting.outcome
        except TimeoutError:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, "the broker could not be reached in time") from None
        finally:
            self._waiting[request.user].remove(waiting)
            if not self._waiting[request.user]:
                del self._waiting[request.user]
        if status.state is SessionState.FAILED:
            raise RpcError(ErrorCode.BROKER_REFUSED, status.reason)
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

    def _desire(self, user: str, broker_user_id: str, *, connected: bool) -> DesiredSession:
        return DesiredSession(
            id=new_id(), user=user, at=self._bus.clock.now(), connected=connected, broker_user_id=broker_user_id
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
