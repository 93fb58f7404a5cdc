"""A live in-memory replica of some keys of a bucket.

Kept by an ordered consumer, whose every beginning is a fresh snapshot. (nats-py's own KV watch does not survive a
server that lost its ephemeral consumers.)
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.js import api

from libs.bus import tracing
from libs.bus.entry import Entry
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import OPERATION, JetStream
from libs.bus.ordered import Ordered
from libs.bus.origin import Origin
from libs.bus.topology import Bucket
from libs.contracts.clock import Clock
from libs.contracts.codec import decode

T = TypeVar("T")
OnChange = Callable[[str, Entry[T] | None], None]

log = structlog.get_logger()

_HEARTBEAT = 5.0
_START_TIMEOUT = 10.0


class Mirror(Generic[T]):
    """`on_change(key, entry)` is told of every new value and, with None, of every removal, in order.

    A value that `keep` refuses counts as removed: so a mirror of what is unfinished stays small.
    """

    def __init__(
        self,
        jetstream: JetStream,
        bucket: Bucket,
        keys: str,
        type_: type[T],
        clock: Clock,
        on_change: OnChange[T] | None = None,
        keep: Callable[[T], bool] | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"$KV.{bucket.name}."
        self._keys = keys
        self._type = type_
        self._clock = clock
        self._on_change = on_change
        self._keep = keep
        self._entries: dict[str, Entry[T]] = {}
        self._seen: set[str] | None = None
        """Keys of a snapshot that is being read."""
        self._current = asyncio.Event()
        self._consumer = Ordered(jetstream, bucket.stream, _HEARTBEAT, clock, self._where, self._receive, self._begun)

    def get(self, key: str) -> T | None:
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def entry(self, key: str) -> Entry[T] | None:
        return self._entries.get(key)

    def items(self) -> Iterable[tuple[str, Entry[T]]]:
        return list(self._entries.items())

    async def start(self) -> None:
        """Returns when the replica is current; raises BusUnavailable if that takes too long."""
        await self._consumer.begin()
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._current.wait()
        except TimeoutError as error:
            await self._consumer.stop()
            raise BusUnavailable(f"{self._bucket.name}/{self._keys}: no snapshot in time") from error
        self._consumer.keep_up()

    async def stop(self) -> None:
        await self._consumer.stop()

    def mark_stale(self) -> None:
        """Called after a reconnect: what happened meanwhile is unknown."""
        self._consumer.mark_stale()

    async def _where(self) -> Mapping[str, Any]:
        """A snapshot, and then every change."""
        self._seen = set()
        return {
            "deliver_policy": api.DeliverPolicy.LAST_PER_SUBJECT,
            "filter_subject": self._prefix + self._keys,
        }

    def _begun(self, info: api.ConsumerInfo) -> None:
        if not info.num_pending and not (info.delivered and info.delivered.consumer_seq):
            self._snapshot_done()

    def _receive(self, message: Msg, origin: Origin) -> None:
        self._apply(message.subject.removeprefix(self._prefix), message, origin)
        if self._seen is not None and origin.pending == 0:
            self._snapshot_done()

    def _apply(self, key: str, message: Msg, origin: Origin) -> None:
        revision = origin.sequence
        if message.headers and OPERATION in message.headers:
            self._remove(key)
            return
        if self._seen is not None:
            self._seen.add(key)
        known = self._entries.get(key)
        if known is not None and known.revision == revision:
            return
        try:
            value = decode(message.data, self._type)
        except msgspec.DecodeError as error:
            # Somebody wrote what this key never holds: the others must still be seen.
            log.error("undecodable_value", bucket=self._bucket.name, key=key, error=str(error))
            self._remove(key)
            return
        if self._keep is not None and not self._keep(value):
            self._remove(key)
            return
        cause = tracing.brought(message.headers)
        entry = self._entries[key] = Entry(key, value, revision, self._clock.monotonic(), origin.at, cause)
        if self._on_change is not None:
            self._on_change(key, entry)

    def _remove(self, key: str) -> None:
        if self._entries.pop(key, None) is not None and self._on_change is not None:
            self._on_change(key, None)

    def _snapshot_done(self) -> None:
        seen, self._seen = self._seen or set(), None
        for key in [key for key in self._entries if key not in seen]:
            self._remove(key)
        self._current.set()
