"""Session ids, from the operator's session API (api-contract §10.12).

They are asked for once, kept encrypted (vault.py), and renewed before they expire, when the broker refuses one, and by
order. Of an id that another gateway asked for, whoever uses the one before is told, too.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import msgspec
import structlog
from prometheus_client import Counter, Gauge

from libs.bus import Bus
from libs.contracts.alerts import Severity
from libs.contracts.clock import Clock
from libs.quadcode.backoff import Backoff
from services.broker_gateway.alarms import try_alarm
from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable
from services.broker_gateway.vault import IssuedSession, Vault

log = structlog.get_logger()

_RENEW_AFTER = (22 / 24, 23 / 24)
"""Share of its validity after which an id is renewed: a random point, so that renewals do not come all at once."""
_RETRY = (1 / 7200, 1 / 288)
"""Shares of the validity: the first and the longest wait between failed renewals, 12 s and 5 min of a day."""
_FAILURES = 3
"""Requests for an id in use that fail in a row until an operator is told."""
_NOT_ABOUT_THE_USER = (401, 403, 408, 429)
"""Our token, our pace or the network: an operator mends it, and no user's session is given up for it."""
_TIMEOUT = aiohttp.ClientTimeout(total=8.0)

_requests = Counter("pregao_session_ids_total", "Session ids asked for", ["outcome"])
_renewals = Counter("pregao_ssid_renewals_total", "Session ids renewed while in use", ["outcome"])
_age = Gauge("pregao_ssid_age_seconds", "Age of the oldest session id in use")


class _Answer(msgspec.Struct):
    """The API has been seen to use each of the three names."""

    ssid: str = ""
    session_id: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    session: IssuedSession
    issued: float
    """Monotonic seconds, as is `renew_at`."""
    renew_at: float

    def serves(self, since: datetime | None) -> bool:
        return since is None or self.session.issued_at >= since


Renewed = Callable[[], None]


class SessionIds:
    def __init__(
        self,
        bus: Bus,
        http: aiohttp.ClientSession,
        url: str,
        token: str,
        vault: Vault,
        chance: random.Random,
        validity: float = 86400.0,
    ) -> None:
        """`validity`: seconds the broker accepts an id."""
        self._bus = bus
        self._clock: Clock = bus.clock
        self._http = http
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._vault = vault
        self._chance = chance
        self._validity = validity
        self._known: dict[str, _Known] = {}
        self._refused: dict[str, str] = {}
        """The last id the broker refused, by broker user id; the vault may still hold it."""
        self._working: dict[tuple[str, str], asyncio.Task[_Known]] = {}
        """By what is done, and for whom."""
        self._users: dict[str, list[Renewed]] = {}
        self._failures: dict[str, int] = {}
        """Failed requests in a row, of ids in use."""
        self._renewing: dict[str, asyncio.Task[None]] = {}
        _age.set_function(self._oldest)

    async def follow(self) -> None:
        """Go over to what other gateways are given, from now on."""
        await self._vault.follow(self._concerns, self._issued_elsewhere)

    async def get(self, broker_user_id: str, since: datetime | None = None) -> str:
        """A session id that the broker should accept, not issued before `since`. Callers at the same time share one
        request.

        Raises AuthenticationRefused (the API has no session for this user), BrokerUnavailable.
        """
        known = self._known.get(broker_user_id)
        if known is None or self._clock.monotonic() >= known.renew_at or not known.serves(since):
            known = await self._shared(broker_user_id, self._recall_or_ask)
            if not known.serves(since):
                known = await self._shared(broker_user_id, self._ask)
        return known.session.ssid

    async def renew(self, broker_user_id: str) -> datetime:
        """Another id, however good the one before still is; when it was issued. Callers at the same time share one.

        Raises AuthenticationRefused, BrokerUnavailable; then the one before is still used.
        """
        return (await self._shared(broker_user_id, self._replace)).session.issued_at

    def forget(self, broker_user_id: str, ssid: str) -> None:
        """The broker refused this one; the next `get` asks for another."""
        self._refused[broker_user_id] = ssid
        known = self._known.get(broker_user_id)
        if known is not None and known.session.ssid == ssid:
            del self._known[broker_user_id]

    def use(self, broker_user_id: str, renewed: Renewed) -> None:
        """Renew this user's ids from now on, and tell each time; until `leave`."""
        self._users.setdefault(broker_user_id, []).append(renewed)
        if broker_user_id not in self._renewing:
            self._renewing[broker_user_id] = asyncio.create_task(
                self._renew(broker_user_id), name=f"renew:{broker_user_id}"
            )

    def leave(self, broker_user_id: str, renewed: Renewed) -> None:
        """Harmless for whoever does not use it."""
        users = self._users.get(broker_user_id, [])
        if renewed in users:
            users.remove(renewed)
        if not users:
            self._users.pop(broker_user_id, None)
            self._failures.pop(broker_user_id, None)
            renewing = self._renewing.pop(broker_user_id, None)
            if renewing is not None:
                renewing.cancel()

    async def _shared(self, broker_user_id: str, work: Callable[[str], Coroutine[None, None, _Known]]) -> _Known:
        name = work.__name__, broker_user_id
        working = self._working.get(name)
        if working is None:
            working = self._working[name] = asyncio.create_task(work(broker_user_id))
            working.add_done_callback(lambda _: self._working.pop(name, None))
        return await asyncio.shield(working)

    async def _recall_or_ask(self, broker_user_id: str) -> _Known:
        kept = await self._vault.read(broker_user_id)
        if kept is not None and kept.ssid != self._refused.get(broker_user_id):
            known = self._remember(broker_user_id, kept)
            if self._clock.monotonic() < known.renew_at:
                _requests.labels("recalled").inc()
                return known
        return await self._shared(broker_user_id, self._ask)

    async def _replace(self, broker_user_id: str) -> _Known:
        known = await self._shared(broker_user_id, self._ask)
        self._tell(broker_user_id)
        return known

    def _tell(self, broker_user_id: str) -> None:
        for renewed in tuple(self._users.get(broker_user_id, ())):
            renewed()

    def _concerns(self, broker_user_id: str) -> bool:
        return broker_user_id in self._users or broker_user_id in self._known

    def _issued_elsewhere(self, broker_user_id: str, session: IssuedSession) -> None:
        """What is stored last is everybody's, in whatever order gateways asked; also hears of what was issued here."""
        known = self._known.get(broker_user_id)
        if session.ssid == self._refused.get(broker_user_id) or (
            known is not None and known.session.ssid == session.ssid
        ):
            return
        self._failures.pop(broker_user_id, None)
        self._remember(broker_user_id, session)
        self._tell(broker_user_id)

    def _remember(self, broker_user_id: str, session: IssuedSession) -> _Known:
        age = max(0.0, (self._clock.now() - session.issued_at) / timedelta(seconds=1))
        issued = self._clock.monotonic() - age
        known = _Known(session, issued, issued + self._validity * self._chance.uniform(*_RENEW_AFTER))
        self._known[broker_user_id] = known
        return known

    async def _renew(self, broker_user_id: str) -> None:
        """As long as somebody uses it. What the broker refuses is renewed at once by `get`."""
        first, longest = (share * self._validity for share in _RETRY)
        backoff = Backoff(first=first, cap=longest, spread=first, jitter=self._chance.random)
        while True:
            await asyncio.sleep(self._until_due(broker_user_id))
            if self._until_due(broker_user_id) > 0:
                continue  # it was asked for anew meanwhile
            try:
                await self._shared(broker_user_id, self._replace)
            except (AuthenticationRefused, BrokerUnavailable) as error:
                _renewals.labels("failed").inc()
                log.warning("session_id_not_renewed", broker_user_id=broker_user_id, error=str(error))
                await asyncio.sleep(backoff.next())
            else:
                backoff.reset()
                _renewals.labels("renewed").inc()

    def _until_due(self, broker_user_id: str) -> float:
        """Seconds; of an id that is not known yet, the first look is for whoever uses it."""
        known = self._known.get(broker_user_id)
        if known is None:
            return self._validity * _RETRY[0]
        return max(0.0, known.renew_at - self._clock.monotonic())

    async def _failed(self, broker_user_id: str, reason: str) -> None:
        """Whatever it was asked for: a renewal in time, or because the broker refuses the last one."""
        if broker_user_id not in self._users:
            return
        failures = self._failures[broker_user_id] = self._failures.get(broker_user_id, 0) + 1
        if failures != _FAILURES:
            return
        message = f"the session of broker user {broker_user_id} could not be renewed {_FAILURES} times: {reason}"
        await try_alarm(self._bus, Severity.CRITICAL, "session_not_renewed", message, broker_user_id=broker_user_id)

    def _oldest(self) -> float:
        now = self._clock.monotonic()
        return max((now - known.issued for known in self._in_use()), default=0.0)

    def _in_use(self) -> Iterator[_Known]:
        return (self._known[user] for user in self._users if user in self._known)

    async def _ask(self, broker_user_id: str) -> _Known:
        try:
            ssid = await self._request(broker_user_id)
        except (AuthenticationRefused, BrokerUnavailable) as error:
            await self._failed(broker_user_id, str(error))
            raise
        self._failures.pop(broker_user_id, None)
        session = IssuedSession(ssid=ssid, issued_at=self._clock.now())
        known = self._remember(broker_user_id, session)
        await self._vault.write(broker_user_id, session)
        _requests.labels("issued").inc()
        log.info("session_id_issued", broker_user_id=broker_user_id)
        return known

    async def _request(self, broker_user_id: str) -> str:
        try:
            async with self._http.post(
                f"{self._url}/{broker_user_id}", headers=self._headers, timeout=_TIMEOUT
            ) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            _requests.labels("unreachable").inc()
            raise BrokerUnavailable(f"session API not reachable: {type(error).__name__}") from error
        return self._read(status, body)

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
