"""Waiting until parts can do their work."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from deploy.local.last_words import describe
from deploy.local.parts import Part
from libs.service import CannotStart

_INTERVAL = 0.1
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=3.0)


async def wait_healthy(parts: Sequence[Part], timeout: float, directory: Path) -> None:
    """Returns when every part answers 200. Raises CannotStart for one that does not within `timeout` seconds."""
    async with aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as http:
        await asyncio.gather(*(_wait(part, timeout, directory, http) for part in parts))


async def _wait(part: Part, timeout: float, directory: Path, http: aiohttp.ClientSession) -> None:
    answer = "no answer"
    try:
        async with asyncio.timeout(timeout):
            while (answer := await _ask(part.health, http)) != "":  # noqa: ASYNC110 - another process cannot set an event
                await asyncio.sleep(_INTERVAL)
    except TimeoutError:
        raise CannotStart(
            f"{part.name} is not healthy after {timeout:g} s ({answer}); PREGAO_START_TIMEOUT changes that; "
            f"it said: {describe(part, directory)}"
        ) from None


async def _ask(url: str, http: aiohttp.ClientSession) -> str:
    """What is wrong, in a few words; empty when it is healthy."""
    try:
        async with http.get(url) as response:
            return "" if response.status == 200 else f"{response.status} {(await response.text())[:200]}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"no answer: {str(error) or 'timed out'}"
