"""The few things that are asked over HTTP (quadcode-protocol §4.2, §4.3)."""

import aiohttp
import msgspec

from libs.quadcode.errors import NotConnected

_USER_AGENT = "quadcode-client-sdk-js/1.3.26"
_SERVER_FAULT = 500
_TRY_LATER = (408, 429)


async def post(url: str, body: object, timeout: float) -> tuple[int, bytes]:
    """Status and content of the answer; redirects are not followed, for what is sent is secret.

    Raises NotConnected when there is no answer, or one that says that another one may come later.
    """
    headers = {"Content-Type": "application/json", "User-Agent": _USER_AGENT}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session,
            session.post(url, data=msgspec.json.encode(body), headers=headers, allow_redirects=False) as answer,
        ):
            status, content = answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NotConnected(f"no answer from {url}: {type(error).__name__}: {error}") from error
    if status >= _SERVER_FAULT or status in _TRY_LATER:
        raise NotConnected(f"{url} answers with status {status}")
    return status, content
