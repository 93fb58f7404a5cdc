"""One process's connection to NATS."""

import asyncio
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from prometheus_client import Counter

from libs.bus import rpc, tracing
from libs.bus.consumer import BatchHandler, Consumer, Consumption
from libs.bus.context import REQUEST_ID_HEADER, headers, request_id
from libs.bus.dead_letters import DeadLetters
from libs.bus.draining import drain
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import MESSAGE_ID, Extent, JetStream
from libs.bus.keyvalue import KeyValue
from libs.bus.lease import Lease
from libs.bus.mirror import Mirror, OnChange
from libs.bus.past import Stored, read_past
from libs.bus.requests import Requests
from libs.bus.suspects import Suspects
from libs.bus.tail import OnMessage, Tail
from libs.bus.topology import LEASES, SUSPECTS, Bucket, Storage, Stream
from libs.contracts.clock import Clock
from libs.contracts.codec import decode, encode
from libs.contracts.rpc import Endpoint

T = TypeVar("T")
Q = TypeVar("Q", bound=msgspec.Struct)
A = TypeVar("A", bound=msgspec.Struct)

log = structlog.get_logger()

_PING_INTERVAL = 5
_CONNECT_TIMEOUT = 30.0
_ATTEMPT_TIMEOUT = 2.0
_CLOSE_TIMEOUT = 5.0
_ABANDON_TIMEOUT = 1.0
_ROUND_TRIP_TIMEOUT = 5.0
_AS_DECLARED = Storage()
_REFUSED = "authorization violation"

_undecodable = Counter("pregao_bus_undecodable_total", "Messages dropped: not what the subject promises", ["type"])
_not_sent = Counter("pregao_bus_not_sent_total", "At-most-once messages dropped while disconnected")
_errors = Counter("pregao_bus_errors_total", "Errors the NATS client reported", ["kind"])


class Subscription:
    """A live core subscription."""

    def __init__(self, subscription: NatsSubscription, settle: Callable[[], Awaitable[None]]) -> None:
        self._subscription = subscription
        self._settle = settle

    async def stop(self) -> None:
        """When this returns the server sends nothing more, and what it had sent is done."""
        await drain([self._subscription], self._settle)
        with suppress(NatsError):
            await self._subscription.unsubscribe()
        with suppress(BusUnavailable):
            await self._settle()


class Bus:
    """Publish, subscribe, store, consume, call. Made by `Bus.connect`."""

    def __init__(self, client: Client, service: str, instance: str, clock: Clock, storage: Storage) -> None:
        self.service = service
        self.instance = instance
        self.clock = clock
        self._client = client
        self._requests = Requests(client)
        self._jetstream = JetStream(client, self._requests, storage, clock)
        self._followers: set[Mirror[Any] | Tail] = set()
        self._on_closed: Callable[[], None] | None = None
        self._connected_once = False
        self._closing = False

    @classmethod
    async def connect(
        cls,
        url: str,
        user: str,
        password: str,
        *,
        service: str,
        instance: str,
        clock: Clock,
        on_closed: Callable[[], None] | None = None,
        storage: Storage = _AS_DECLARED,
        ca_file: Path | None = None,
    ) -> Self:
        """Keeps trying for 30 s, then raises BusUnavailable. `on_closed` is told if the connection is lost for good
        (nats-py closes when the server expires its credentials): the process should end and be started again.
        `ca_file`: whose certificates servers show, where it is not one of the system's; then nothing is sent in the
        clear."""
        client = Client()
        bus = cls(client, service, instance, clock, storage)

        if on_closed is not None:
            bus._on_closed = on_closed

        async def closed() -> None:
            if not bus._closing:
                bus._give_up()

        async def report(error: Exception) -> None:
            await _report(error)
            refused = _REFUSED in str(error).lower() or isinstance(error, ssl.SSLCertVerificationError)
            if refused and not bus._connected_once:
                # It would go on asking in the same way; an error raised here ends its `connect`.
                raise error

        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await client.connect(
                    servers=url.split(","),
                    user=user,
                    password=password,
                    tls=None if ca_file is None else ssl.create_default_context(cafile=ca_file),
                    name=f"{service}/{instance}",
                    inbox_prefix=f"_INBOX_{service}",
                    ping_interval=_PING_INTERVAL,
                    max_outstanding_pings=2,
                    max_reconnect_attempts=-1,
                    # A fixed wait would bring every instance back in the same moment.
                    reconnect_time_wait=0.5 + zlib.crc32(instance.encode()) / 2**32,  # type: ignore[arg-type]
                    error_cb=report,
                    reconnected_cb=bus._reconnected,
                    disconnected_cb=_disconnected,
                    closed_cb=closed,
                )
                await bus._requests.open()
        except (NatsError, TimeoutError, OSError) as error:
            bus._closing = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_ABANDON_TIMEOUT):
                    await client.close()  # it leaves the socket of its last try open; of TLS, it waits for ever
            raise BusUnavailable(f"cannot connect to NATS at {url} as {user}: {error!r}") from error
        bus._connected_once = True
        return bus

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    async def ready(self) -> None:
        """A barrier: what was published and subscribed before has reached the server. Raises BusUnavailable.

        A message to ourselves, because nats-py 2.16's `flush` is none: its PING overtakes commands that still wait
        in the buffer (field-notes §B3), and one that times out breaks the reader when its PONG comes after all.
        """
        try:
            await self._requests.echo(_ROUND_TRIP_TIMEOUT)
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"no round trip to NATS: {error!r}") from error

    async def close(self) -> None:
        """Everything published is delivered to the server first, as far as it still answers."""
        self._closing = True
        for follower in list(self._followers):
            await follower.stop()
        with suppress(BusUnavailable):
            await self.ready()
        # A connection that is already gone raises from its own transport.
        with suppress(OSError, NatsError, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._client.close()

    async def publish(self, subject: str, message: msgspec.Struct) -> None:
        """At most once, for what the next message replaces: while disconnected it is dropped, not sent late."""
        if not self._client.is_connected:
            _not_sent.inc()
            return
        await self._client.publish(subject, encode(message), headers=headers() or None)

    async def subscribe(
        self,
        subject: str,
        type_: type[T],
        handler: Callable[[str, T], Awaitable[None]],
        *,
        limit: int = 65536,
    ) -> Subscription:
        """`handler(subject, message)`, one at a time; more than `limit` waiting messages: the newest are dropped
        and counted (`pregao_bus_errors_total`). Live at the server when this returns."""

        async def receive(message: Msg) -> None:
            try:
                decoded = decode(message.data, type_)
            except msgspec.DecodeError as error:
                _undecodable.labels(getattr(type_, "__name__", str(type_))).inc()
                log.error("undecodable_message", subject=message.subject, error=str(error))
                return
            request_id.set((message.headers or {}).get(REQUEST_ID_HEADER, ""))
            try:
                with tracing.received(f"receive {type_.__name__}", message.headers, subject=message.subject):
                    await handler(message.subject, decoded)
            except Exception:
                log.exception("handler_failed", subject=message.subject)

        subscription = await self._client.subscribe(subject, cb=receive, pending_msgs_limit=limit)
        await self.ready()
        return Subscription(subscription, self.ready)

    async def ensure(self, *declarations: Stream | Bucket) -> None:
        """Create them, or apply their changed settings. Tries for 30 s while a cluster says: not now."""
        # What takes over from others comes after them: from one that is not there yet, the server tries seconds later.
        for declaration in sorted(declarations, key=lambda each: isinstance(each, Stream) and bool(each.sources)):
            await self._jetstream.ensure(declaration)

    async def append(
        self,
        subject: str,
        message: msgspec.Struct | msgspec.Raw,
        *,
        id: str,
        timeout: float = 5.0,
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Store an event in its stream. Returns when it is stored; the same id is stored once in ten minutes.

        An unconfirmed try is repeated with the same id until the timeout; then BusUnavailable: it may be stored.
        `fields`: headers besides.
        """
        with tracing.span("store", subject=subject):
            await self._append(subject, encode(message), {**headers(), **fields, MESSAGE_ID: id}, timeout)

    async def _append(self, subject: str, data: bytes, sent: Mapping[str, str], timeout: float) -> None:
        deadline = self.clock.monotonic() + timeout
        while True:
            left = deadline - self.clock.monotonic()
            try:
                await self._jetstream.store(subject, data, sent, timeout=max(0.1, min(left, _ATTEMPT_TIMEOUT)))
            except BusUnavailable:
                if self.clock.monotonic() + 0.1 >= deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    async def last(self, stream: Stream, subject: str, type_: type[T]) -> T | None:
        """The newest message that is stored under a subject. Raises BusUnavailable."""
        message = await self._jetstream.last(stream.name, subject, _ROUND_TRIP_TIMEOUT)
        return None if message is None else decode(message.data or b"", type_)

    async def past(self, stream: Stream, subject: str, type_: type[T], since: datetime) -> list[T]:
        """What was stored under a subject since then, in order, up to now. Raises BusUnavailable."""
        return [decode(stored.data, type_) for stored in await self.stored(stream, subject, since)]

    async def stored(self, stream: Stream, subject: str, since: datetime) -> list[Stored]:
        """As `past`, undecoded; the subject may have wildcards."""
        return await read_past(self._jetstream, stream, subject, since)

    async def extent(self, stream: Stream) -> Extent:
        """What a stream holds now. Raises BusUnavailable."""
        return await self._jetstream.extent(stream)

    async def stored_at(self, stream: Stream, sequence: int) -> datetime | None:
        """When the message with that number was stored; None if it is not there any more. Raises BusUnavailable."""
        return await self._jetstream.stored_at(stream, sequence)

    async def tail(self, stream: Stream, subject: str, on_message: OnMessage) -> Tail:
        """Everything that is stored under a subject from now on. Raises BusUnavailable."""
        tail = Tail(self._jetstream, stream, subject, self.clock, on_message)
        await tail.start()
        self._followers.add(tail)
        return tail

    async def consume(self, spec: Consumer, handler: BatchHandler) -> Consumption:
        """Start a durable consumer; see Consumer for what happens to a batch whose handler raises."""
        suspects = Suspects(self.bucket(SUSPECTS), spec.stream, spec.durable)
        consumption = Consumption(self._client, self._jetstream, spec, handler, suspects, self._give_up)
        await consumption.start()
        return consumption

    async def used(self, declaration: Stream | Bucket) -> float:
        """Which part of its bounds it uses: at 1 it refuses, or drops. Raises BusUnavailable."""
        return await self._jetstream.used(declaration.stream if isinstance(declaration, Bucket) else declaration.name)

    async def counts(self, stream: Stream, subject: str) -> dict[str, int]:
        """How many messages it holds under each subject that matches. Raises BusUnavailable."""
        return await self._jetstream.counts(stream.name, subject)

    async def backlog(self, spec: Consumer) -> int:
        """Messages that a durable consumer has not acknowledged; 0 where nobody made it yet. Raises BusUnavailable."""
        return await self._jetstream.backlog(spec.stream, spec.durable)

    async def ping(self, service: str, timeout: float) -> bool:
        """Whether a process serves that micro service (ADR-32). Raises BusUnavailable when no answer came in time."""
        try:
            await self._requests.ask(f"$SRV.PING.{service}", b"", timeout)
        except NoRespondersError:
            return False
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{service}: no answer ({error!r})") from error
        return True

    def dead_letters(self) -> DeadLetters:
        """What consumers have set aside; for an operator's connection."""
        return DeadLetters(self._jetstream, self._requests)

    def bucket(self, bucket: Bucket, timeout: float = 5.0) -> KeyValue:
        """`timeout`: seconds that each of its requests may take."""
        return KeyValue(self._jetstream, bucket, self.clock, timeout)

    async def mirror(
        self,
        bucket: Bucket,
        keys: str,
        type_: type[T],
        on_change: OnChange[T] | None = None,
        keep: Callable[[T], bool] | None = None,
    ) -> Mirror[T]:
        """A live replica of the keys that match, current when this returns; all of them must be `type_`."""
        mirror = Mirror(self._jetstream, bucket, keys, type_, self.clock, on_change, keep)
        await mirror.start()
        self._followers.add(mirror)
        return mirror

    def lease(self, name: str, ttl: float = 6.0) -> Lease:
        """`ttl` in whole seconds, the server's resolution."""
        leases = KeyValue(self._jetstream, LEASES, self.clock, timeout=ttl / 4)
        return Lease(leases, name, self.instance, self.clock, ttl)

    async def call(
        self,
        endpoint: Endpoint[Q, A],
        request: Q,
        *,
        subject: str | None = None,
        timeout: float | None = None,
    ) -> A:
        """Raises RpcError; UNAVAILABLE means that nothing was done, TIMEOUT that nobody knows."""
        return (await rpc.call(self._requests, endpoint, request, subject, timeout)).answer

    async def call_dated(self, endpoint: Endpoint[Q, A], request: Q) -> rpc.Dated[A]:
        """As `call`, and when the answer was made, if that was before."""
        return await rpc.call(self._requests, endpoint, request, None, None)

    async def serve(self, service: str, handlers: Mapping[Endpoint[Any, Any], rpc.Handler[Any, Any]]) -> rpc.Served:
        """Answer endpoints as one of the instances of a micro service (`nats micro ls` lists it)."""
        served = await rpc.serve(self._client, service, handlers, self.ready)
        await self.ready()
        return served

    async def serve_on(self, subject: str, endpoint: Endpoint[Q, A], handler: rpc.Handler[Q, A]) -> Subscription:
        """Answer an endpoint on a subject that only this process serves."""
        server = rpc.Server(endpoint, handler)
        subscription = await self._client.subscribe(subject, cb=server.receive)
        await self.ready()

        async def settle() -> None:
            await self.ready()
            await server.drain()

        return Subscription(subscription, settle)

    def _give_up(self) -> None:
        """The process cannot do its work any more: better that it ends and is started again."""
        if self._on_closed is not None:
            self._on_closed()

    async def _reconnected(self) -> None:
        log.info("bus_reconnected")
        for follower in self._followers:
            follower.mark_stale()


async def _report(error: Exception) -> None:
    """A refused permission reaches its caller as a timeout; only here is the reason told."""
    _errors.labels(type(error).__name__).inc()
    log.error("bus_error", kind=type(error).__name__, error=str(error))


async def _disconnected() -> None:
    log.warning("bus_disconnected")
