"""The Socket.IO door: who may connect to which namespace, how long, and what may be asked there (api-contract §8)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Gauge
from socketio.exceptions import ConnectionRefusedError as ConnectRefused

from libs.bus import request_id, tracing
from libs.contracts.clock import Clock
from libs.contracts.ids import new_id
from libs.store import StoreError, StoreUnavailable
from services.socket_edge import credentials, emissions
from services.socket_edge.candle_door import CandleDoor
from services.socket_edge.candle_hub import CandleHub
from services.socket_edge.emissions import ADMIN, DEFAULT, NAMESPACES, Emission, Request
from services.socket_edge.engine import Engine
from services.socket_edge.errors import ApiError, forbidden, internal, unavailable
from services.socket_edge.fanout import Fanout
from services.socket_edge.identity import Identity, TokenVerifier
from services.socket_edge.metrics import Metrics
from services.socket_edge.operators import OperatorEvents
from services.socket_edge.payloads import Ack, Greeting, Refused
from services.socket_edge.roles import Roles
from services.socket_edge.route import Access
from services.socket_edge.socket_limits import Meter, SocketLimits
from services.socket_edge.standing import Standing
from services.socket_edge.user_events import UserEvents

log = structlog.get_logger()

_LOOK_AFTER = 1.0
"""Seconds between looks at the sockets."""
_GRACE = timedelta(seconds=30)
"""How long a socket outlives its token, as a request would (TokenVerifier's leeway)."""
_AT_ONCE = 8
"""Events of one socket worked on at the same time."""
_GREETINGS = {emissions.ADMIN: emissions.GREETING_ADMIN, emissions.BOT: emissions.GREETING_BOT}

_sockets = Gauge("pregao_edge_sockets", "Sockets connected")

OnlyUser = Callable[[], str | None]
Handler = Callable[[str, object], Awaitable[Ack]]
"""Of a socket, and of the first thing it sent along."""


@dataclass(slots=True)
class _Socket:
    identity: Identity | None
    """None of who came without a token, where that is allowed."""
    user: str
    """Empty while it is not known whose it is."""
    namespace: str
    meter: Meter
    busy: int = 0
    role_asked: bool = False
    """Whether it is being asked whether an operator still is one."""


class Sockets:
    def __init__(
        self,
        engine: Engine,
        fanout: Fanout,
        verifier: TokenVerifier,
        standing: Standing,
        roles: Roles,
        hub: CandleHub,
        candles: CandleDoor,
        users: UserEvents,
        operators: OperatorEvents,
        metrics: Metrics,
        limits: SocketLimits,
        clock: Clock,
        only_user: OnlyUser | None,
    ) -> None:
        """`only_user()`: the one with a session to the broker. With it, a socket without a token is that one's, as soon
        as there is one (api-contract §2.2, `legacy`)."""
        self._engine = engine
        self._fanout = fanout
        self._verifier = verifier
        self._standing = standing
        self._roles = roles
        self._hub = hub
        self._users = users
        self._operators = operators
        self._limits = limits
        self._clock = clock
        self._only_user = only_user
        self._sockets: dict[str, _Socket] = {}
        self._of_user: dict[str, set[str]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._serve(
            {
                emissions.SUBSCRIBE: candles.subscribe,
                emissions.UNSUBSCRIBE: candles.unsubscribe,
                emissions.WATCH: candles.watch,
                emissions.UNWATCH: candles.unwatch,
                emissions.REQUEST_METRICS: metrics.answer,
            }
        )

    async def look_after(self) -> None:
        """Until cancelled: cuts off who floods us, whose token has expired or session has ended, and who is no operator
        any more; removes what lost connections left."""
        while True:
            await asyncio.sleep(_LOOK_AFTER)
            self._fanout.enforce()
            now = self._clock.now()
            for sid, socket in list(self._sockets.items()):
                if not self._engine.alive(sid):
                    self._forget(sid)
                elif socket.identity is None:
                    self._adopt(sid, socket)
                elif socket.identity.expires_at + _GRACE < now:
                    self._fanout.cut(sid, "token_expired")
                elif not self._in_good_standing(socket.identity):
                    self._fanout.cut(sid, "ended")
                elif socket.namespace == ADMIN and not socket.role_asked:
                    self._ask_role(sid, socket, socket.identity)

    def _in_good_standing(self, identity: Identity) -> bool:
        try:
            self._standing.check(identity)
        except ApiError:
            return False
        return True

    def _serve(self, handlers: Mapping[Request, Handler]) -> None:
        server = self._engine.server
        for namespace in NAMESPACES:
            server.on("connect", self._connecting(namespace), namespace=namespace)
            server.on("disconnect", self._disconnect, namespace=namespace)
            server.on("*", self._refusing(namespace), namespace=namespace)
        for request, handler in handlers.items():
            server.on(request.name, self._answering(request, handler), namespace=request.namespace)

    def _connecting(self, namespace: str) -> Callable[[str, dict[str, Any], object], Awaitable[None]]:
        async def connect(sid: str, environ: dict[str, Any], auth: object) -> None:
            try:
                identity = await self._identify(environ, auth)
                if namespace == ADMIN and not (identity and await self._roles.may(identity, Access.ADMIN)):
                    raise forbidden("Administrators only")
                if identity is not None:  # last: nothing is awaited between this and its arrival
                    self._check_room_for(sid, identity.user)
            except StoreUnavailable:
                raise _refused(unavailable()) from None
            except ApiError as error:
                raise _refused(error) from None
            except Exception:
                log.exception("connection_failed", namespace=namespace)
                raise _refused(internal()) from None
            self._arrive(sid, namespace, identity, auth)

        return connect

    async def _identify(self, environ: dict[str, Any], auth: object) -> Identity | None:
        given = auth.get("token") if isinstance(auth, dict) else None
        cookies = credentials.parse_cookies(environ.get("HTTP_COOKIE"))
        try:
            credential = credentials.find(
                environ.get("HTTP_AUTHORIZATION"), cookies, given if isinstance(given, str) else None
            )
        except ApiError:
            if self._only_user is None:
                raise
            return None
        identity = await self._verifier.verify(credential.token)
        await self._standing.admit(identity)
        return identity

    def _check_room_for(self, sid: str, user: str) -> None:
        connections = {self._engine.connection(other) for other in self._of_user.get(user, ())}
        if len(connections - {self._engine.connection(sid)}) >= self._limits.per_user:
            raise ApiError(429, "TOO_MANY_SOCKETS", f"At most {self._limits.per_user} connections per user")

    def _arrive(self, sid: str, namespace: str, identity: Identity | None, auth: object) -> None:
        meter = Meter(self._limits.events_per_second, self._clock.monotonic())
        socket = _Socket(identity, "", namespace, meter)
        self._sockets[sid] = socket
        _sockets.set(len(self._sockets))
        if namespace != DEFAULT:
            greeting = Greeting(message=NAMESPACES[namespace], timestamp=self._clock.now())
            # After the handler has returned: only then the client is told that it is connected.
            asyncio.get_running_loop().call_soon(self._send, sid, _GREETINGS[namespace], greeting)
        if identity is None:
            self._adopt(sid, socket)
        else:
            self._join(sid, socket, identity.user, auth.get("lastSeq") if isinstance(auth, dict) else None)

    def _adopt(self, sid: str, socket: _Socket) -> None:
        user = self._only_user() if self._only_user is not None else None
        if user is not None and not socket.user:
            self._join(sid, socket, user, None)

    def _join(self, sid: str, socket: _Socket, user: str, last_seq: object) -> None:
        socket.user = user
        self._of_user.setdefault(user, set()).add(sid)
        if socket.namespace == ADMIN:
            self._operators.arrived(sid)
        else:
            self._users.arrived(sid, socket.namespace, user, last_seq)

    async def _disconnect(self, sid: str, reason: str) -> None:
        if reason == self._engine.server.reason.PING_TIMEOUT:
            self._engine.cut(sid)
        elif reason != self._engine.server.reason.CLIENT_DISCONNECT or self._alone(sid):
            self._engine.release(sid)
        self._forget(sid)

    def _alone(self, sid: str) -> bool:
        """Whether its connection has no socket in another namespace."""
        socket, connection = self._sockets.get(sid), self._engine.connection(sid)
        others = self._of_user.get(socket.user, set()) - {sid} if socket is not None else set()
        return all(self._engine.connection(other) != connection for other in others)

    def _forget(self, sid: str) -> None:
        self._hub.leave_all(sid)
        socket = self._sockets.pop(sid, None)
        _sockets.set(len(self._sockets))
        if socket is None or not socket.user:
            return
        user = socket.user
        self._of_user[user].discard(sid)
        if not self._of_user[user]:
            del self._of_user[user]
        self._operators.left(sid)
        self._users.left(sid, user)

    def _ask_role(self, sid: str, socket: _Socket, identity: Identity) -> None:
        """Beside the look at the others, which a slow database must not hold up."""
        socket.role_asked = True
        task = asyncio.create_task(self._check_role(sid, socket, identity), name="check-role")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _check_role(self, sid: str, socket: _Socket, identity: Identity) -> None:
        try:
            if not await self._roles.may(identity, Access.ADMIN):
                self._fanout.cut(sid, "role")
        except StoreError as error:
            log.warning("role_not_checked", error=str(error))
        finally:
            socket.role_asked = False

    def _answering(self, request: Request, handler: Handler) -> Callable[..., Awaitable[Ack]]:
        refusal = (
            emissions.SUBSCRIPTION_ERROR if request is emissions.SUBSCRIBE else emissions.ERRORS[request.namespace]
        )

        async def answer(sid: str, *sent: object) -> Ack:
            socket = self._sockets.get(sid)
            if socket is None:
                return Ack(ok=False, error="NOT_CONNECTED")
            request_id.set(new_id())
            try:
                self._check_rate(socket)
                socket.busy += 1
                try:
                    with tracing.begin(f"socket {request.name}"):
                        return await handler(sid, sent[0] if sent else None)
                finally:
                    socket.busy -= 1
            except ApiError as error:
                return self._refuse(sid, refusal, request.name, error)
            except Exception:
                log.exception("socket_event_failed", request=request.name)
                return self._refuse(sid, refusal, request.name, internal())

        return answer

    def _refusing(self, namespace: str) -> Callable[..., Awaitable[Ack]]:
        """Nothing but what is declared may be emitted: nobody tells others what only services may tell."""
        ours = {emission.name for emission in emissions.EMISSIONS}

        async def refuse(event: str, sid: str, *_: object) -> Ack:
            socket = self._sockets.get(sid)
            if socket is None:
                return Ack(ok=False, error="NOT_CONNECTED")
            try:
                self._check_rate(socket)
                code = "NOT_ALLOWED" if event in ours else "UNKNOWN_EVENT"
                raise ApiError(403, code, "Clients may not emit this event")
            except ApiError as error:
                return self._refuse(sid, emissions.ERRORS[namespace], event, error)

        return refuse

    def _check_rate(self, socket: _Socket) -> None:
        if socket.busy >= _AT_ONCE or not socket.meter.passes(self._clock.monotonic()):
            raise ApiError(429, "TOO_MANY_REQUESTS", "Too many events on this socket")

    def _refuse(self, sid: str, emission: Emission, event: str, error: ApiError) -> Ack:
        self._send(sid, emission, Refused(message=error.message, error=error.code, event=event[:80]))
        return Ack(ok=False, error=error.code)

    def _send(self, sid: str, emission: Emission, payload: object) -> None:
        self._fanout.deliver_to([sid], emission, payload)


def _refused(error: ApiError) -> ConnectRefused:
    return ConnectRefused(error.code.lower(), {"code": error.code, "error": error.message})
