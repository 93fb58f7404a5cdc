"""Session ids, from the operator's session API (api-contract §10.12).

Kept in memory only: they are as good as the user's password, and a restarted gateway simply asks for new ones.
"""

import asyncio
import random
from dataclasses import dataclass

import aiohttp
import msgspec
import structlog
from prometheus_client import Counter

from libs.contracts.clock import Clock
from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable

log = structlog.get_logger()

_RENEW_AFTER = (22 * 3600.0, 23 * 3600.0)
"""Seconds; the broker accepts an id for about 24 h. A random point, so that renewals do not come all at once."""
_NOT_ABOUT_THE_USER = (401, 403, 408, 429)
"""Our token, our pace or the network: an operator mends it, and no user's session is given up for it."""
_TIMEOUT = aiohttp.ClientTimeout(total=8.0)

_requests = Counter("pregao_session_ids_total", "Session ids asked for", ["outcome"])


class _Answer(msgspec.Struct):
    """The API has been seen to use each of the three names."""

    ssid: str = ""
    session_id: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    ssid: str
    renew_at: float


class SessionIds:
    def __init__(self, http: aiohttp.ClientSession, url: str, token: str, clock: Clock, chance: random.Random) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._clock = clock
        self._chance = chance
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[str]] = {}

    async def get(self, broker_user_id: str) -> str:
        """A session id that the broker should accept. Callers at the same time share one request.

        Raises AuthenticationRefused (the API has no session for this user), BrokerUnavailable.
        """
        known = self._known.get(broker_user_id)
        if known is not None and self._clock.monotonic() < known.renew_at:
            return known.ssid
        asking = self._asking.get(broker_user_id)
        if asking is None:
            asking = self._asking[broker_user_id] = asyncio.create_task(self._ask(broker_user_id))
            asking.add_done_callback(lambda _: self._asking.pop(broker_user_id, None))
        return await asyncio.shield(asking)

    def forget(self, broker_user_id: str, ssid: str) -> None:
        """The broker refused this one; the next `get` asks for another."""
        known = self._known.get(broker_user_id)
        if known is not None and known.ssid == ssid:
            del self._known[broker_user_id]

    async def _ask(self, broker_user_id: str) -> str:
        try:
            async with self._http.post(
                f"{self._url}/{broker_user_id}", headers=self._headers, timeout=_TIMEOUT
            ) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            _requests.labels("unreachable").inc()
            raise BrokerUnavailable(f"session API not reachable: {type(error).__name__}") from error
        ssid = self._read(status, body)
        after = self._chance.uniform(*_RENEW_AFTER)
        self._known[broker_user_id] = _Known(ssid, self._clock.monotonic() + after)
        _requests.labels("issued").inc()
        log.info("session_id_issued", broker_user_id=broker_user_id)
        return ssid

    def _read(self, status: int, body: bytes) -> str:
        """Never puts the body into an error: it may hold a session id."""
        if status in _NOT_ABOUT_THE_USER or status >= 500:
            _requests.labels("unavailable").inc()
            raise BrokerUnavailable(f"session API answered {status}")
        if status >= 400:
            _requests.labels("refused").inc()
            raise AuthenticationRefused(f"session API answered {status}")
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except msgspec.DecodeError as error:
            raise BrokerUnavailable("session API answered what is not a session") from error
        ssid = answer.ssid or answer.session_id or answer.token
        if not ssid:
            raise BrokerUnavailable("session API answered without a session id")
        return ssid
