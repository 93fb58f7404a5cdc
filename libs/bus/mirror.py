"""A live in-memory replica of some keys of a bucket.

Kept by an ephemeral push consumer (ordered, unacknowledged). Anything that could mean a missed change — a gap in the
consumer's sequence, silence where heartbeats should be, a reconnect — makes it start again from a fresh snapshot, so
there is no path that repairs and another that starts. (nats-py's own KV watch does not survive a server that lost its
ephemeral consumers.)
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError
from nats.js import api

from libs.bus.cancellation import cancellable
from libs.bus.entry import Entry
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import OPERATION, JetStream
from libs.bus.topology import Bucket
from libs.contracts.clock import Clock
from libs.contracts.codec import decode

T = TypeVar("T")
OnChange = Callable[[str, Entry[T] | None], None]

log = structlog.get_logger()

_HEARTBEAT = 5.0
_SILENCE = 2.5 * _HEARTBEAT
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
        self._jetstream = jetstream
        self._bucket = bucket
        self._prefix = f"$KV.{bucket.name}."
        self._keys = keys
        self._type = type_
        self._clock = clock
        self._on_change = on_change
        self._keep = keep
        self._entries: dict[str, Entry[T]] = {}
        self._seen: set[str] | None = None
        self._expected = 1
        self._epoch = 0
        self._consumer = ""
        self._subscription: NatsSubscription | None = None
        self._current = asyncio.Event()
        self._heard = 0.0
        self._stale = asyncio.Event()
        self._watchdog: asyncio.Task[None] | None = None

    def get(self, key: str) -> T | None:
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def entry(self, key: str) -> Entry[T] | None:
        return self._entries.get(key)

    def items(self) -> Iterable[tuple[str, Entry[T]]]:
        return list(self._entries.items())

    async def start(self) -> None:
        """Returns when the replica is current; raises BusUnavailable if that takes too long."""
        await self._restart()
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._current.wait()
        except TimeoutError as error:
            await self._unsubscribe()
            raise BusUnavailable(f"{self._bucket.name}/{self._keys}: no snapshot in time") from error
        self._watchdog = asyncio.create_task(self._watch(), name=f"mirror:{self._bucket.name}")

    async def stop(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            with suppress(asyncio.CancelledError):
                await self._watchdog
        await self._unsubscribe()

    def mark_stale(self) -> None:
        """Called after a reconnect: what happened meanwhile is unknown."""
        self._stale.set()

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_HEARTBEAT):
                    await self._stale.wait()
            if self._stale.is_set() or self._clock.monotonic() - self._heard > _SILENCE:
                try:
                    await self._restart()
                except (BusUnavailable, NatsError, TimeoutError) as error:
                    log.warning("mirror_restart_failed", bucket=self._bucket.name, error=repr(error))
                    self._stale.set()
                    await asyncio.sleep(1.0)

    async def _restart(self) -> None:
        await self._unsubscribe()
        self._stale.clear()
        self._epoch += 1
        epoch = self._epoch
        self._expected, self._seen = 1, set()
        self._heard = self._clock.monotonic()
        client = self._jetstream.api._nc
        inbox = client.new_inbox()

        async def receive(message: Msg) -> None:
            if epoch == self._epoch:
                await self._receive(message)

        self._subscription = await client.subscribe(inbox, cb=receive)
        try:
            with cancellable():
                info = await self._jetstream.api.add_consumer(
                    self._bucket.stream,
                    api.ConsumerConfig(
                        deliver_subject=inbox,
                        deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT,
                        ack_policy=api.AckPolicy.NONE,
                        filter_subject=self._prefix + self._keys,
                        idle_heartbeat=_HEARTBEAT,
                        inactive_threshold=60.0,
                        mem_storage=True,
                        num_replicas=1,
                        max_deliver=1,
                    ),
                )
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{self._bucket.name}/{self._keys}: {error!r}") from error
        self._consumer = info.name
        if not info.num_pending and not (info.delivered and info.delivered.consumer_seq):
            self._snapshot_done()

    async def _unsubscribe(self) -> None:
        self._epoch += 1
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
            self._subscription = None

    async def _receive(self, message: Msg) -> None:
        self._heard = self._clock.monotonic()
        if message.headers and "Status" in message.headers:
            self._heartbeat(message.headers)
            return
        metadata = message.metadata
        if metadata.sequence.consumer != self._expected:
            self._stale.set()
            return
        self._expected += 1
        key = message.subject.removeprefix(self._prefix)
        self._apply(key, message, metadata)
        if self._seen is not None and metadata.num_pending == 0:
            self._snapshot_done()

    def _heartbeat(self, headers: dict[str, str]) -> None:
        """It names the last message sent; one that we have not seen was lost."""
        last = headers.get("Nats-Last-Consumer")
        if last is not None and int(last) != self._expected - 1:
            self._stale.set()

    def _apply(self, key: str, message: Msg, metadata: Msg.Metadata) -> None:
        revision = metadata.sequence.stream
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
        entry = self._entries[key] = Entry(
            key, value, revision, self._clock.monotonic(), metadata.timestamp.timestamp()
        )
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
