"""Whether a person sent a form: who makes captchas is asked (Turnstile, hCaptcha, reCAPTCHA: `siteverify`)."""

from dataclasses import dataclass

import aiohttp
import msgspec
import structlog

from libs.contracts.rpc import ErrorCode, RpcError

log = structlog.get_logger()

_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_READ = 64 * 1024
"""Bytes of an answer."""


class _Verdict(msgspec.Struct):
    success: bool


@dataclass(frozen=True, slots=True)
class Captcha:
    url: str
    """Where answers are checked; empty: nobody is asked anything."""
    secret: str
    site_key: str
    """For the page that shows it."""

    async def check(self, answer: str, address: str) -> None:
        """Raises RpcError: INVALID_REQUEST for one that is none, UNAVAILABLE where nobody can say."""
        if not self.url:
            return
        if not answer or not await self._is_right(answer, address):
            raise RpcError(ErrorCode.INVALID_REQUEST, "`captcha` must be the answer to the captcha on this page")

    async def _is_right(self, answer: str, address: str) -> bool:
        asked = {"secret": self.secret, "response": answer, "remoteip": address}
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as http,
                http.post(self.url, data=asked, allow_redirects=False) as told,
            ):
                return msgspec.json.decode(await told.content.read(_READ), type=_Verdict).success
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            log.warning("captcha_not_checked", error=str(error) or type(error).__name__)
            raise RpcError(ErrorCode.UNAVAILABLE, "captchas cannot be checked now") from error
