"""What options are on offer, kept up to date (quadcode-protocol §12.1)."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import structlog
from msgspec import Struct

from libs.quadcode.background import run_beside
from libs.quadcode.backoff import Backoff, Jitter
from libs.quadcode.declarations import Channel, Listener
from libs.quadcode.errors import NotConnected, RequestFailed
from libs.quadcode.option_actives import BlitzActive, OptionActive, TimedActive
from libs.quadcode.options import Options, OptionType

A = TypeVar("A", bound=OptionActive)

log = structlog.get_logger()

EVERY = 600.0
"""Seconds between two readings (§19)."""
_SPREAD = 0.1
"""Part of them by which a wait is stretched at most: many clients of one broker do not ask in the same moment."""


class OfferChange(Struct, frozen=True):
    """New without `before`, withdrawn without `after`."""

    kind: OptionType
    before: OptionActive | None
    after: OptionActive | None


class OfferBook:
    """`async with client.offer_book(listener) as book`; read every ten minutes, and after every reconnect.

    `blitz`, `turbo` and `binary` are by active id, and empty where the broker has switched the kind off. `listener`
    hears what a reading changed, all of it at once and only if there is something. Between two readings prices may be
    outdated: what an order depends on is asked of `client.options.offers()`.
    """

    def __init__(
        self,
        channel: Channel,
        options: Options,
        jitter: Jitter,
        listener: Listener[Sequence[OfferChange]],
        every: float = EVERY,
    ) -> None:
        """`every`: seconds, stretched by up to a tenth."""
        self.blitz: Mapping[int, BlitzActive] = {}
        self.turbo: Mapping[int, TimedActive] = {}
        self.binary: Mapping[int, TimedActive] = {}
        self.read_at: datetime | None = None
        """The broker's time of the last reading."""
        self.failures = 0
        """Readings in a row that did not succeed."""
        self._channel = channel
        self._options = options
        self._listener = listener
        self._every = every
        self._jitter = jitter
        self._backoff = Backoff(first=1.0, cap=60.0, spread=1.0, jitter=jitter)
        self._wake = asyncio.Event()
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """The first reading is not told. Raises NotConnected or RequestFailed."""
        async with AsyncExitStack() as stack:
            stack.callback(self._channel.when_connected(self._wake.set))
            await self._read()
            run_beside(stack, self._keep(), "quadcode:offers")
            self._resources = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def _keep(self) -> None:
        pause = self._pause()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            try:
                changes = await self._read()
            except (NotConnected, RequestFailed) as problem:
                self.failures += 1
                log.info("offers_not_read", failures=self.failures, problem=str(problem))
                pause = self._backoff.next()
            else:
                self._tell(changes)
                pause = self._pause()

    def _pause(self) -> float:
        return self._every * (1 + _SPREAD * self._jitter())

    async def _read(self) -> Sequence[OfferChange]:
        data = await self._options.offers()
        blitz = self._offered(OptionType.BLITZ, data.blitz.all())
        turbo = self._offered(OptionType.TURBO, data.turbo.all())
        binary = self._offered(OptionType.BINARY, data.binary.all())
        changes = [
            *_changes(OptionType.BLITZ, self.blitz, blitz),
            *_changes(OptionType.TURBO, self.turbo, turbo),
            *_changes(OptionType.BINARY, self.binary, binary),
        ]
        self.blitz, self.turbo, self.binary = blitz, turbo, binary
        self.read_at = self._channel.clock.now()
        self.failures = 0
        self._backoff.reset()
        return changes

    def _offered(self, kind: OptionType, actives: Sequence[A]) -> dict[int, A]:
        return {active.id: active for active in actives} if self._channel.available(kind.feature) else {}

    def _tell(self, changes: Sequence[OfferChange]) -> None:
        if not changes:
            return
        try:
            self._listener(changes)
        except Exception:
            log.exception("listener_failed", offers=len(changes))


def _changes(
    kind: OptionType, before: Mapping[int, OptionActive], after: Mapping[int, OptionActive]
) -> Iterator[OfferChange]:
    for active_id in sorted(before.keys() | after.keys()):
        old, new = before.get(active_id), after.get(active_id)
        if old != new:
            yield OfferChange(kind, old, new)
