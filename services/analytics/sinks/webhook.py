"""Alerts posted to a URL, signed so that the receiver knows who sent them (standardwebhooks.com)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import aiohttp
import msgspec

from libs.contracts.alerts import Alert
from libs.contracts.clock import Clock
from services.analytics.sinks.sink import NotTaken

_TIMEOUT = aiohttp.ClientTimeout(total=10.0, connect=3.0)
_PREFIX = "whsec_"


class Webhook:
    """Redirections are not followed: the receiver is the one that was named."""

    name = "webhook"

    def __init__(self, http: aiohttp.ClientSession, url: str, secret: str, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._key = key_of(secret)
        self._clock = clock

    async def send(self, alerts: Sequence[Alert]) -> None:
        """One by one. Raises NotTaken."""
        for alert in alerts:
            await self._post(alert)

    async def _post(self, alert: Alert) -> None:
        body = msgspec.json.encode({"type": f"alert.{alert.kind}", "timestamp": alert.at, "data": _told(alert)})
        now = int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Pregao-Webhook/1",
            "webhook-id": alert.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._key, alert.id, now, body),
        }
        try:
            async with self._http.post(
                self._url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotTaken(f"no answer ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise NotTaken(f"answered {status}")


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """Of what a receiver gets as `webhook-id`, `webhook-timestamp` (epoch seconds) and body."""
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def key_of(secret: str) -> bytes:
    """Raises ValueError for a `whsec_` secret that is no base64."""
    if secret.startswith(_PREFIX):
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode()


def _told(alert: Alert) -> dict[str, object]:
    return {**msgspec.structs.asdict(alert), "type": alert.type}
