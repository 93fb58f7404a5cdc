"""An ephemeral push consumer: messages in order, each once, unacknowledged.

Anything that could mean a missed message (a gap in the consumer's sequence, silence where heartbeats should be, a
reconnect) makes it begin anew, so there is no path that repairs and another that begins. (nats-py's own ordered
consumers do not survive a server that lost them.)
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError
from nats.js import api

from libs.bus.cancellation import Cancellable
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import JetStream
from libs.bus.origin import Origin, origin
from libs.contracts.clock import Clock

Where = Callable[[], Awaitable[Mapping[str, Any]]]
"""Which messages, asked with every beginning: fields of ConsumerConfig. Raises BusUnavailable."""
Receive = Callable[[Msg, Origin], None]
Begun = Callable[[api.ConsumerInfo], None]

_PATIENCE = 2.5
"""Heartbeats that may be missing."""

log = structlog.get_logger()


class Ordered:
    """`receive` and `begun` must not raise."""

    def __init__(
        self,
        jetstream: JetStream,
        stream: str,
        heartbeat: float,
        clock: Clock,
        where: Where,
        receive: Receive,
        begun: Begun = lambda _: None,
    ) -> None:
        """`heartbeat` in seconds; `begun` is told of every beginning."""
        self._jetstream = jetstream
        self._stream = stream
        self._heartbeat = heartbeat
        self._clock = clock
        self._where = where
        self._receive = receive
        self._begun = begun
        self._expected = 1
        self._epoch = 0
        self._heard = 0.0
        self._subscription: NatsSubscription | None = None
        self._stale = asyncio.Event()
        self._watchdog: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Raises BusUnavailable."""
        await self._unsubscribe()
        self._stale.clear()
        self._heard = self._clock.monotonic()
        epoch, self._expected = self._epoch, 1
        client = self._jetstream.api._nc
        inbox = client.new_inbox()

        async def hear(message: Msg) -> None:
            if epoch == self._epoch:
                self._hear(message)

        where = await self._where()
        config = api.ConsumerConfig(
            deliver_subject=inbox,
            ack_policy=api.AckPolicy.NONE,
            idle_heartbeat=self._heartbeat,
            inactive_threshold=60.0,
            mem_storage=True,
            num_replicas=1,
            max_deliver=1,
            **where,
        )
        try:
            self._subscription = await client.subscribe(inbox, cb=hear)
            with Cancellable():
                info = await self._jetstream.api.add_consumer(self._stream, config)
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{self._stream}/{config.filter_subject}: {error!r}") from error
        self._begun(info)

    def keep_up(self) -> None:
        """From now on, until `stop`, it begins anew when it must."""
        self._watchdog = asyncio.create_task(self._watch(), name=f"ordered:{self._stream}")

    async def stop(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            with suppress(asyncio.CancelledError):
                await self._watchdog
        await self._unsubscribe()

    def mark_stale(self) -> None:
        """What happened meanwhile is unknown."""
        self._stale.set()

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat):
                    await self._stale.wait()
            silence = self._clock.monotonic() - self._heard
            if self._stale.is_set() or silence > _PATIENCE * self._heartbeat:
                try:
                    await self.begin()
                except BusUnavailable as error:
                    log.warning("consumer_not_begun", stream=self._stream, error=str(error))
                    self._stale.set()
                    await asyncio.sleep(1.0)

    async def _unsubscribe(self) -> None:
        self._epoch += 1
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
            self._subscription = None

    def _hear(self, message: Msg) -> None:
        self._heard = self._clock.monotonic()
        if message.headers and "Status" in message.headers:
            # A heartbeat names the last message sent; one that we have not seen was lost.
            last = message.headers.get("Nats-Last-Consumer")
            if last is not None and int(last) != self._expected - 1:
                self._stale.set()
            return
        told = origin(message.reply)
        if told.number != self._expected:
            self._stale.set()
            return
        self._expected += 1
        self._receive(message, told)
