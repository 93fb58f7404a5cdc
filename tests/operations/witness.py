"""A browser that stays: when its socket ends it comes back, to whichever edge takes it, with the last number it saw."""

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any

import socketio

from tests.integration.edge.client import Browser
from tests.integration.nats_server import eventually
from tests.integration.supabase_server import Person

_JOINING = ("snapshot", "resumed", "resume-gap")


class Witness:
    def __init__(self, person: Person, urls: tuple[str, ...], home: int) -> None:
        self.person = person
        self._urls = urls
        self._home = home
        self._task: asyncio.Task[None] | None = None
        self.seen: list[tuple[str, Any]] = []
        self.returns: Counter[str] = Counter()
        self._seq = 0
        self._browser = Browser()

    async def start(self) -> None:
        joined = asyncio.Event()
        self._task = asyncio.create_task(self._stay(joined))
        async with asyncio.timeout(20):
            await joined.wait()

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def until_closed(self, positions: set[str]) -> None:
        """Returns when it has been told that these are; fails after 20 s."""
        await eventually(lambda: positions <= self._closed())

    def _closed(self) -> set[str]:
        return set(self.told("position:closed")) | {
            str(payload["positionId"]) for payload in self._browser.named("position:closed")
        }

    def told(self, event: str) -> Counter[str]:
        """How often of which position."""
        return Counter(str(payload["positionId"]) for name, payload in self.seen if name == event)

    async def _stay(self, joined: asyncio.Event) -> None:
        tries = 0
        while True:
            browser = self._browser = Browser(*_JOINING)
            url = self._urls[(self._home + tries) % len(self._urls)]
            tries += 1
            auth = {"token": self.person.token} | ({"lastSeq": self._seq} if self._seq else {})
            try:
                await browser.socket.connect(url, auth=auth, transports=["websocket"], wait_timeout=5)
                await browser.until(partial(browser.named, *_JOINING))
                joined.set()
                await browser.socket.wait()
            except (socketio.exceptions.ConnectionError, TimeoutError):
                await asyncio.sleep(0.2)
            finally:
                self._take(browser)
                with suppress(Exception):
                    async with asyncio.timeout(2):
                        await browser.socket.shutdown()

    def _take(self, browser: Browser) -> None:
        for event, payload in browser.got:
            if event in _JOINING:
                self.returns[event] += 1
            if isinstance(payload, dict) and "seq" in payload:
                self._seq = max(self._seq, int(payload["seq"]))
                if event not in _JOINING:
                    self.seen.append((event, payload))
