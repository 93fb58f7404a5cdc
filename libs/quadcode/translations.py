"""Display names, over HTTP (quadcode-protocol §5)."""

import asyncio
from collections.abc import Mapping

import aiohttp
import msgspec
from msgspec import Struct, field

from libs.quadcode.errors import TranslationsUnavailable
from libs.quadcode.frames import MALFORMED

_TRIES = 3
_PAUSE = 0.3
"""Seconds before the second try; the third waits twice as long."""


class Translations(Struct, frozen=True, rename="camel"):
    is_successful: bool = False
    result: dict[str, dict[str, str]] = field(default_factory=dict)


_decode = msgspec.json.Decoder(Translations).decode


async def translations(
    host: str, language: str = "en", group: str = "front", timeout: float = 5.0
) -> Mapping[str, str]:
    """Texts by key, e.g. `front.EURUSD-OTC`; `host` with its scheme.

    Raises TranslationsUnavailable after three tries.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session:
        for attempt in range(1, _TRIES + 1):
            try:
                return await _load(session, host, language, group)
            except (aiohttp.ClientError, TimeoutError, *MALFORMED) as error:
                problem: Exception = error
            except TranslationsUnavailable as error:
                problem = error
            if attempt < _TRIES:
                await asyncio.sleep(_PAUSE * attempt)
    raise TranslationsUnavailable(f"no translations from {host}: {problem}") from problem


async def _load(session: aiohttp.ClientSession, host: str, language: str, group: str) -> Mapping[str, str]:
    params = [("route", language), ("groups[]", group)]
    async with session.get(f"{host.rstrip('/')}/api/lang/route-translations", params=params) as response:
        reply = _decode(await response.read())
    texts = reply.result.get(language)
    if not reply.is_successful or not texts:
        raise TranslationsUnavailable("the answer has no texts")
    return texts
