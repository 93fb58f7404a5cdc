"""The Socket.IO door: who may connect, and which candles a socket shows (api-contract §8.1)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Gauge
from socketio.exceptions import ConnectionRefusedError as Refused

from libs.bus import BusError, request_id
from libs.contracts.clock import Clock
from libs.contracts.ids import new_id
from libs.contracts.market import Feed
from libs.contracts.rpc import RpcError
from services.socket_edge import credentials
from services.socket_edge.assets import Assets
from services.socket_edge.candle_hub import CandleHub
from services.socket_edge.candle_stream import Watch
from services.socket_edge.engine import Engine
from services.socket_edge.errors import ApiError, internal, invalid, of_rpc, unavailable
from services.socket_edge.fanout import Fanout
from services.socket_edge.identity import Identity, TokenVerifier
from services.socket_edge.market_api import candle_size
from services.socket_edge.reading import from_builtins
from services.socket_edge.requests import CandleSubscription
from services.socket_edge.standing import Standing
from services.socket_edge.user_events import UserEvents, room

log = structlog.get_logger()

_LOOK_AFTER = 1.0
"""Seconds between looks at the sockets."""
_GRACE = timedelta(seconds=30)
"""How long a socket outlives its token, as a request would (TokenVerifier's leeway)."""
_AT_ONCE = 8
"""Events of one socket worked on at the same time."""

_sockets = Gauge("pregao_edge_sockets", "Sockets connected")


@dataclass(slots=True)
class _Connection:
    identity: Identity
    busy: int = 0


class Sockets:
    def __init__(
        self,
        engine: Engine,
        fanout: Fanout,
        verifier: TokenVerifier,
        standing: Standing,
        assets: Assets,
        hub: CandleHub,
        events: UserEvents,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._fanout = fanout
        self._verifier = verifier
        self._standing = standing
        self._assets = assets
        self._hub = hub
        self._events = events
        self._clock = clock
        self._connections: dict[str, _Connection] = {}
        engine.server.on("connect", self._connect)
        engine.server.on("disconnect", self._disconnect)
        engine.server.on("subscribe-candles", self._subscribe)
        engine.server.on("unsubscribe-candles", self._unsubscribe)

    async def look_after(self) -> None:
        """Until cancelled: cuts off who floods us and whose token has expired or session has ended; removes what lost
        connections left."""
        while True:
            await asyncio.sleep(_LOOK_AFTER)
            self._fanout.enforce()
            now = self._clock.now()
            for sid, connection in list(self._connections.items()):
                if not self._engine.alive(sid):
                    self._forget(sid)
                elif connection.identity.expires_at + _GRACE < now:
                    self._fanout.cut(sid, "token_expired")
                elif not self._in_good_standing(connection.identity):
                    self._fanout.cut(sid, "ended")

    def _in_good_standing(self, identity: Identity) -> bool:
        try:
            self._standing.check(identity)
        except ApiError:
            return False
        return True

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object) -> None:
        given = auth.get("token") if isinstance(auth, dict) else None
        cookies = credentials.parse_cookies(environ.get("HTTP_COOKIE"))
        try:
            credential = credentials.find(
                environ.get("HTTP_AUTHORIZATION"), cookies, given if isinstance(given, str) else None
            )
            identity = await self._verifier.verify(credential.token)
            self._standing.check(identity)
        except ApiError as error:
            raise Refused(error.code.lower(), {"code": error.code, "error": error.message}) from None
        self._connections[sid] = _Connection(identity)
        _sockets.set(len(self._connections))
        self._events.arrived(identity.user)
        await self._engine.server.enter_room(sid, room(identity.user))

    async def _disconnect(self, sid: str, reason: str) -> None:
        if reason == self._engine.server.reason.PING_TIMEOUT:
            self._engine.cut(sid)
        else:
            self._engine.release(sid)
        self._forget(sid)

    def _forget(self, sid: str) -> None:
        self._hub.leave(sid)
        connection = self._connections.pop(sid, None)
        _sockets.set(len(self._connections))
        if connection is not None:
            user = connection.identity.user
            if all(other.identity.user != user for other in self._connections.values()):
                self._events.left(user)

    async def _subscribe(self, sid: str, *arguments: object) -> dict[str, object]:
        connection = self._connections.get(sid)
        if connection is None or connection.busy >= _AT_ONCE:
            return {"ok": False, "error": "TOO_MANY_REQUESTS"}
        request_id.set(new_id())
        connection.busy += 1
        watch = self._hub.replace(sid)
        try:
            return await self._show(watch, arguments)
        except ApiError as error:
            return self._refuse(watch, error)
        except RpcError as error:
            return self._refuse(watch, of_rpc(error))
        except BusError:
            return self._refuse(watch, unavailable())
        except Exception:
            log.exception("subscription_failed")
            return self._refuse(watch, internal())
        finally:
            connection.busy -= 1

    async def _show(self, watch: Watch, arguments: tuple[object, ...]) -> dict[str, object]:
        if not arguments:
            raise invalid("subscribe-candles needs {asset, timeframe}")
        wanted = from_builtins(arguments[0], CandleSubscription)
        feed = Feed(self._assets.find(wanted.asset).id, candle_size(wanted.timeframe))
        candles = await self._hub.join(watch, feed)
        if not self._hub.current(watch):
            return {"ok": False, "error": "REPLACED"}
        self._send(watch.sid, "historical-candles", candles)
        self._send(watch.sid, "subscribed", wanted)
        self._hub.begin(watch, candles[-1].time if candles else 0)
        return {"ok": True}

    def _refuse(self, watch: Watch, error: ApiError) -> dict[str, object]:
        if self._hub.current(watch):
            self._hub.leave(watch.sid)
            self._send(watch.sid, "subscription-error", {"message": error.message, "error": error.code})
        return {"ok": False, "error": error.code}

    async def _unsubscribe(self, sid: str, *_: object) -> dict[str, object]:
        self._hub.leave(sid)
        return {"ok": True}

    def _send(self, sid: str, event: str, payload: object) -> None:
        self._fanout.deliver(sid, self._fanout.encode(event, payload))
