"""Key-value buckets with revision checks.

nats-py's own KeyValue is not used for writing: its `update` drops a key's time to live, so a lease written with it
never expires, and its reads return a deletion marker as a value (crm-and-reliability §0.9).
"""

from typing import TypeVar

import msgspec
from nats.js.api import RawStreamMsg

from libs.bus import tracing
from libs.bus.entry import Entry
from libs.bus.errors import BusUnavailable, RevisionConflict
from libs.bus.jetstream import EXPECTED_SEQUENCE, OPERATION, TIME_TO_LIVE, JetStream, WrongSequence
from libs.bus.mirror import Mirror
from libs.bus.topology import Bucket
from libs.contracts.clock import Clock
from libs.contracts.codec import decode, encode

T = TypeVar("T")

_MARKER_LIFE = 60.0
"""Seconds a deletion marker stays, so that mirrors see it."""


class KeyValue:
    def __init__(self, jetstream: JetStream, bucket: Bucket, clock: Clock, timeout: float = 5.0) -> None:
        self._jetstream = jetstream
        self._bucket = bucket
        self._clock = clock
        self._timeout = timeout

    async def get(self, key: str, type_: type[T]) -> Entry[T] | None:
        message = await self._last(key)
        if message is None or _deleted(message):
            return None
        value, cause = decode(message.data or b"", type_), tracing.brought(message.headers)
        return Entry(key, value, message.seq or 0, self._clock.monotonic(), cause=cause)

    async def put(self, key: str, value: msgspec.Struct, *, ttl: float | None = None) -> int:
        """Write whatever was there before; the new revision."""
        return await self._jetstream.store(self._subject(key), encode(value), _headers(ttl=ttl), self._timeout)

    async def create(self, key: str, value: msgspec.Struct, *, ttl: float | None = None) -> int:
        """Write if the key does not exist; raises RevisionConflict if it does."""
        try:
            return await self._write(key, encode(value), 0, ttl)
        except RevisionConflict:
            message = await self._last(key)
            if message is None or not _deleted(message):
                raise
            return await self._write(key, encode(value), message.seq or 0, ttl)

    async def update(self, key: str, value: msgspec.Struct, revision: int, *, ttl: float | None = None) -> int:
        """Write if the key is still at `revision`; raises RevisionConflict if not."""
        return await self._write(key, encode(value), revision, ttl)

    async def delete(self, key: str, revision: int | None = None) -> None:
        headers = _headers(ttl=_MARKER_LIFE, revision=revision) | {OPERATION: "DEL"}
        try:
            await self._jetstream.store(self._subject(key), b"", headers, self._timeout)
        except WrongSequence as error:
            raise RevisionConflict(key, revision or 0) from error

    async def entries(self, keys: str, type_: type[T]) -> list[Entry[T]]:
        """The current values whose keys match, e.g. `{user}.*`; every one of them must be a `type_`."""
        mirror = Mirror(self._jetstream, self._bucket, keys, type_, self._clock)
        await mirror.start()
        try:
            return [entry for _, entry in mirror.items()]
        finally:
            await mirror.stop()

    async def _write(self, key: str, data: bytes, revision: int, ttl: float | None) -> int:
        headers = _headers(ttl=ttl, revision=revision)
        try:
            return await self._jetstream.store(self._subject(key), data, headers, self._timeout)
        except WrongSequence as error:
            raise RevisionConflict(key, revision) from error
        except BusUnavailable:
            return await self._settle(key, data, revision)

    async def _settle(self, key: str, data: bytes, revision: int) -> int:
        """The write was not confirmed. Our bytes standing there after `revision` mean that it was done."""
        message = await self._last(key)
        if message is not None and message.data == data and (message.seq or 0) > revision:
            return message.seq or 0
        raise BusUnavailable(f"{self._bucket.name}/{key}: write not confirmed")

    async def _last(self, key: str) -> RawStreamMsg | None:
        return await self._jetstream.last(self._bucket.stream, self._subject(key), self._timeout)

    def _subject(self, key: str) -> str:
        return f"$KV.{self._bucket.name}.{key}"


def _deleted(message: RawStreamMsg) -> bool:
    return bool(message.headers and OPERATION in message.headers)


def _headers(*, ttl: float | None = None, revision: int | None = None) -> dict[str, str]:
    headers = tracing.carried()
    if ttl is not None:
        headers[TIME_TO_LIVE] = f"{ttl:g}s"
    if revision is not None:
        headers[EXPECTED_SEQUENCE] = str(revision)
    return headers
