"""The one adapter to nats-py's JetStream client: every call is timed, and its errors become ours."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from libs.bus.cancellation import Cancellable
from libs.bus.errors import BusError, BusUnavailable
from libs.bus.requests import Requests
from libs.bus.standstill import Standstill
from libs.bus.topology import DEDUPE_WINDOW, Bucket, Source, Storage, Stream
from libs.contracts.clock import Clock

MESSAGE_ID = "Nats-Msg-Id"
TIME_TO_LIVE = "Nats-TTL"
EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
OPERATION = "KV-Operation"

_WRONG_LAST_SEQUENCE = (10071, 10164)
"""By what is stored; by what another server of the cluster is about to store."""
_NOT_NOW = (0, 10006, 10007, 10008, 10009, 10158)
"""Of a cluster that is without a leader for a moment (what raft says has no number), or where our own try before this
one is under way."""
_ELECTED_WITHIN = 30.0
_AGAIN = 0.25


class _Refusal(msgspec.Struct):
    description: str = ""
    err_code: int = 0


class _Ack(msgspec.Struct):
    """What the server answers to a publish."""

    seq: int = 0
    duplicate: bool = False
    error: _Refusal | None = None


class Extent(NamedTuple):
    """The numbers of the first and the last message a stream holds; of an empty one, the first is the higher."""

    first: int
    last: int


class _NotNow(BusUnavailable):
    """A cluster without a leader: nothing was done."""


class WrongSequence(BusError):
    """The subject's last message is not the expected one."""


_decode_ack = msgspec.json.Decoder(_Ack).decode


class JetStream:
    """Storing messages and declaring streams over one connection."""

    def __init__(self, client: Client, requests: Requests, storage: Storage, clock: Clock) -> None:
        self.standstill = Standstill(client, clock)
        self._clock = clock
        self._requests = requests
        self._storage = storage
        self.api: JetStreamContext = client.jetstream(timeout=5.0)

    @property
    def clustered(self) -> bool:
        """Whether another server may answer for a stream than the one that leads it. As the server says: how many keep
        a stream an operator may have set."""
        return bool(self.api._nc._server_info.get("cluster"))

    async def store(self, subject: str, data: bytes, headers: Mapping[str, str], timeout: float) -> int:
        """Publish and wait until it is stored; its sequence in the stream.

        Raises WrongSequence when the expectation in `headers` is not met, BusUnavailable when the outcome is not
        known (a timeout says nothing: the message may be stored), BusError when the server refused it.
        """
        try:
            reply = await self._requests.ask(subject, data, timeout, headers)
        except (NatsError, TimeoutError) as error:
            self.standstill.unanswered()
            raise BusUnavailable(f"{subject}: not confirmed ({type(error).__name__})") from error
        ack = _decode_ack(reply.data)
        if ack.error is None:
            self.standstill.answered()
            return ack.seq
        if ack.error.err_code in _WRONG_LAST_SEQUENCE:
            raise WrongSequence(f"{subject}: {ack.error.description}")
        if ack.error.err_code in _NOT_NOW:
            self.standstill.unanswered()
            raise BusUnavailable(f"{subject}: not confirmed ({ack.error.description})")
        raise BusError(f"{subject}: {ack.error.description} ({ack.error.err_code})")

    async def last(self, stream: str, subject: str, timeout: float) -> api.RawStreamMsg | None:
        """What a stream holds under a subject, read from its leader. Raises BusUnavailable."""
        try:
            async with asyncio.timeout(timeout):
                with Cancellable():
                    return await self.api.get_last_msg(stream, subject, direct=False)
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{subject}: not readable ({type(error).__name__})") from error

    async def extent(self, stream: Stream) -> Extent:
        try:
            with Cancellable():
                info = await self.api.stream_info(stream.name)
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"stream {stream.name}: not readable ({type(error).__name__})") from error
        return Extent(info.state.first_seq, info.state.last_seq)

    async def used(self, name: str) -> float:
        """Which part of its bytes a stream uses; 0 where it is not there or has no bound. Raises BusUnavailable."""
        info = await self._info(name)
        bound = info.config.max_bytes if info is not None else None
        return info.state.bytes / bound if info is not None and bound is not None and bound > 0 else 0.0

    async def counts(self, name: str, subject: str) -> dict[str, int]:
        """How many messages a stream holds under each subject that matches. Raises BusUnavailable."""
        info = await self._info(name, subject)
        return (info.state.subjects or {}) if info is not None else {}

    async def _info(self, name: str, subject: str | None = None) -> api.StreamInfo | None:
        try:
            with Cancellable():
                return await self.api.stream_info(name, subject)
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"stream {name}: not readable ({type(error).__name__})") from error

    async def backlog(self, stream: str, consumer: str) -> int:
        try:
            with Cancellable():
                info = await self.api.consumer_info(stream, consumer)
        except NotFoundError:
            return 0
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"consumer {consumer}: not readable ({type(error).__name__})") from error
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def stored_at(self, stream: Stream, sequence: int) -> datetime | None:
        try:
            with Cancellable():
                return (await self.api.get_msg(stream.name, sequence)).time
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{stream.name}/{sequence}: not readable ({type(error).__name__})") from error

    async def ensure(self, declaration: Stream | Bucket) -> None:
        """Raises BusError, or BusUnavailable when nobody confirms it."""
        deadline = self._clock.monotonic() + _ELECTED_WITHIN
        while True:
            try:
                if isinstance(declaration, Bucket):
                    return await self._ensure_bucket(declaration)
                return await self._ensure_stream(declaration, self._clock.now())
            except _NotNow:
                if self._clock.monotonic() >= deadline:
                    raise
                await asyncio.sleep(_AGAIN)

    async def _ensure_stream(self, stream: Stream, now: datetime) -> None:
        await self._ensure(
            api.StreamConfig(
                name=stream.name,
                subjects=list(stream.subjects),
                max_age=stream.max_age,
                max_bytes=int(stream.max_bytes * self._storage.room),
                max_msgs_per_subject=stream.max_per_subject,
                discard=api.DiscardPolicy.NEW if stream.keep_new else api.DiscardPolicy.OLD,
                duplicate_window=min(DEDUPE_WINDOW, stream.max_age or DEDUPE_WINDOW),
                allow_msg_schedules=stream.timers or None,
                allow_msg_ttl=stream.timers or None,
                storage=api.StorageType.FILE,
                allow_direct=True,
                sources=[_source(source) for source in stream.sources] or None,
            ),
            now,
        )

    async def _ensure_bucket(self, bucket: Bucket) -> None:
        """A bucket is a stream (ADR-8); built by hand because nats-py's own call cannot update one."""
        prefix = f"$KV.{bucket.name}"
        await self._ensure(
            api.StreamConfig(
                name=bucket.stream,
                subjects=[f"{prefix}.>"],
                max_age=bucket.max_age,
                max_bytes=int(bucket.max_bytes * self._storage.room),
                max_msgs_per_subject=bucket.history,
                discard=api.DiscardPolicy.NEW,
                duplicate_window=min(DEDUPE_WINDOW, bucket.max_age) if bucket.max_age else DEDUPE_WINDOW,
                storage=api.StorageType.FILE,
                allow_direct=True,
                allow_rollup_hdrs=True,
                allow_msg_ttl=True,
                deny_delete=True,
                republish=api.RePublish(src=f"{prefix}.>", dest=f"{bucket.republish}.>") if bucket.republish else None,
            )
        )

    async def _begun(self, config: api.StreamConfig, now: datetime | None) -> api.StreamConfig:
        """A new stream that takes over from others begins with what is stored there from now on; and its numbers begin
        with the time in milliseconds, so that those of one made anew, after the store was lost, are still higher."""
        if now is None or not config.sources:
            return config
        for source in config.sources:
            # Not by time: nats-server 2.15.1 then misses what is stored while the source is being set up.
            with suppress(NotFoundError):
                source.opt_start_seq = (await self.api.stream_info(source.name)).state.last_seq + 1
        return config.evolve(first_seq=int(now.timestamp() * 1000))

    async def _ensure(self, config: api.StreamConfig, now: datetime | None = None) -> None:
        """Update in place, never by deleting what is stored; create what is not there.

        In this order because creating counts the stream's `max_bytes` a second time against the server's limit.
        """
        config = config.evolve(num_replicas=self._storage.replicas)
        try:
            try:
                known = (await self.api.stream_info(str(config.name))).config
            except NotFoundError:
                await self.api.add_stream(await self._begun(config, now))
            else:
                await self.api.update_stream(_resembling(config, known))
        except APIError as error:
            kind = _NotNow if error.err_code in _NOT_NOW else BusError
            raise kind(f"stream {config.name}: {error.description} ({error.err_code})") from error
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"stream {config.name}: not confirmed ({type(error).__name__})") from error


def _source(source: Source) -> api.StreamSource:
    renamed = [api.SubjectTransform(src=there, dest=here) for there, here in source.renamed]
    return api.StreamSource(name=source.stream, subject_transforms=renamed)


def _resembling(config: api.StreamConfig, known: api.StreamConfig) -> api.StreamConfig:
    """With what was decided when the stream was created, or by its operator: replicas that no setting speaks of."""
    begun = {source.name: source.opt_start_seq for source in known.sources or ()}
    for source in config.sources or ():
        source.opt_start_seq = begun.get(source.name)
    return config.evolve(num_replicas=config.num_replicas or known.num_replicas, first_seq=known.first_seq)
