"""Following a stream: all that is stored from now on, in order, each once, also over a lost connection.

An ephemeral push consumer, as of a mirror. Anything that could mean a missed message starts another one just behind the
last that came, so what was stored meanwhile is read late instead of lost.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError
from nats.js import api

from libs.bus.cancellation import cancellable
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import JetStream
from libs.bus.past import Stored
from libs.bus.topology import Stream
from libs.contracts.clock import Clock

OnMessage = Callable[[Stored], None]

log = structlog.get_logger()

_HEARTBEAT = 2.0
_SILENCE = 2.5 * _HEARTBEAT


class Tail:
    """Made by `Bus.tail`. `on_message` must not raise."""

    def __init__(self, jetstream: JetStream, stream: Stream, subject: str, clock: Clock, on_message: OnMessage) -> None:
        self.position = 0
        """Number of the last message that came; what comes later has higher ones."""
        self._jetstream = jetstream
        self._stream = stream
        self._subject = subject
        self._clock = clock
        self._on_message = on_message
        self._expected = 1
        self._epoch = 0
        self._heard = 0.0
        self._subscription: NatsSubscription | None = None
        self._stale = asyncio.Event()
        self._watchdog: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._restart()
        self._watchdog = asyncio.create_task(self._watch(), name=f"tail:{self._stream.name}")

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
                except BusUnavailable as error:
                    log.warning("tail_restart_failed", stream=self._stream.name, error=str(error))
                    self._stale.set()
                    await asyncio.sleep(1.0)

    async def _restart(self) -> None:
        await self._unsubscribe()
        self._stale.clear()
        self._heard = self._clock.monotonic()
        epoch, self._expected = self._epoch, 1
        client = self._jetstream.api._nc
        inbox = client.new_inbox()

        async def receive(message: Msg) -> None:
            if epoch == self._epoch:
                self._receive(message)

        try:
            extent = await self._jetstream.extent(self._stream)
            self._subscription = await client.subscribe(inbox, cb=receive)
            if not 0 < self.position <= extent.last:
                self.position = extent.last  # the first start; or the store was lost, and numbers with it
            with cancellable():
                await self._jetstream.api.add_consumer(self._stream.name, self._consumer(inbox))
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{self._stream.name}/{self._subject}: {error!r}") from error

    def _consumer(self, inbox: str) -> api.ConsumerConfig:
        return api.ConsumerConfig(
            deliver_subject=inbox,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self.position + 1,
            ack_policy=api.AckPolicy.NONE,
            filter_subject=self._subject,
            idle_heartbeat=_HEARTBEAT,
            inactive_threshold=60.0,
            mem_storage=True,
            num_replicas=1,
            max_deliver=1,
        )

    async def _unsubscribe(self) -> None:
        self._epoch += 1
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
            self._subscription = None

    def _receive(self, message: Msg) -> None:
        self._heard = self._clock.monotonic()
        headers = message.headers or {}
        if "Status" in headers:
            last = headers.get("Nats-Last-Consumer")
            if last is not None and int(last) != self._expected - 1:
                self._stale.set()
            return
        metadata = message.metadata
        if metadata.sequence.consumer != self._expected:
            self._stale.set()
            return
        self._expected += 1
        self.position = metadata.sequence.stream
        self._on_message(
            Stored(message.subject, message.data, metadata.sequence.stream, metadata.timestamp.timestamp())
        )
