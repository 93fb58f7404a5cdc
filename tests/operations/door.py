"""The door before two edges, as deploy/compose/door.conf has it: a client always at the same one, and at the other when
a connection is refused; what was sent is repeated only if it changes nothing.
"""

import asyncio
from collections import Counter
from typing import Any

import aiohttp

from tests.integration.supabase_server import Person

ALLOWED = (429, 503)
"""Answers that say when to come back."""


class Door:
    def __init__(self, http: aiohttp.ClientSession, *urls: str) -> None:
        self._http = http
        self.urls = urls
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    async def ask(self, number: int, method: str, path: str, person: Person, body: Any = None) -> None:
        """Note how it went; `number` says whose home is where."""
        what = f"{method} {path.partition('?')[0]}"
        home = number % len(self.urls)
        for url in (self.urls[home], self.urls[1 - home]):
            try:
                async with self._http.request(
                    method, url + path, json=body, headers={"Authorization": f"Bearer {person.token}"}
                ) as answer:
                    text = await answer.text()
                    wait = answer.headers.get("Retry-After")
                    self.answers[f"{what} {answer.status}"] += 1
                    if answer.status in ALLOWED and wait is not None:
                        await asyncio.sleep(min(2.0, float(wait)))
                    elif answer.status >= 400:
                        self.failures.append(f"{what}: {answer.status} {text[:200]}")
                    return
            except aiohttp.ClientConnectorError as error:
                problem = repr(error)
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = repr(error)
                if method != "GET":
                    break
        self.failures.append(f"{what}: {problem}")
