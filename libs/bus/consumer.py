"""Durable pull consumers: at least once, in batches, acknowledged only after the handler returned.

nats-py's `fetch` is not used: with a batch above one it holds back the first message until the batch is full or its
timeout is over, and a pending fetch does not survive a reconnect (field-notes §B3). Here one pull request is
outstanding at a time, with heartbeats; silence or a status ends it and the next one is sent.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import api
from prometheus_client import Counter

from libs.bus import tracing
from libs.bus.errors import BusError, BusUnavailable, Poison, Unavailable
from libs.bus.jetstream import MESSAGE_ID, JetStream
from libs.bus.origin import origin
from libs.bus.suspects import DEATHS, Suspects
from libs.contracts import subjects
from libs.contracts.codec import Message, decode, encode

T = TypeVar("T")

log = structlog.get_logger()

ORIGINAL_SUBJECT = "Pregao-Subject"
ORIGINAL_SEQUENCE = "Pregao-Sequence"
REASON = "Pregao-Reason"
STORED_AT = "Pregao-Stored-At"
"""Headers of a dead letter."""

_EXPIRES = 5.0
_HEARTBEAT = 1.0
_SILENCE = 2.5
_MORE = 0.05
"""Seconds to wait for the next message where the server says that there is one; another process may have got it."""
_STATUS_HEARTBEAT, _STATUS_EXPIRED = "100", "408"

_dead_letters = Counter("pregao_dead_letters_total", "Messages set aside", ["stream", "consumer"])
_redeliveries = Counter("pregao_redeliveries_total", "Messages handed back", ["stream", "consumer"])


@dataclass(frozen=True, slots=True)
class Consumer:
    stream: str
    durable: str
    subjects: tuple[str, ...] = ()
    """Filters; empty for all."""
    batch: int = 100
    linger: float = 0.0
    """Seconds to wait for a batch to fill once its first message is there."""
    ack_wait: float = 10.0
    max_deliver: int = 8
    """Tries before a message that keeps failing is set aside (an Unavailable failure does not set aside). What comes
    more often may be what processes die at (`suspects`)."""
    backoff: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    """Seconds before the second, third, … try."""
    max_ack_pending: int = 2000
    at_once: int = 1
    """Batches that the handler is given at the same time, in order; what must stay in order it keeps so itself."""

    def delay(self, attempt: int) -> float:
        return self.backoff[min(attempt, len(self.backoff)) - 1]


@dataclass(frozen=True, slots=True)
class Delivery:
    subject: str
    data: bytes
    sequence: int
    """In the stream."""
    attempt: int
    """1 for the first delivery."""
    at: float
    """Epoch seconds, by the server's clock: when it was stored."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def decode(self, type_: type[T]) -> T:
        """Raises Poison when the message is not a `type_`."""
        try:
            return decode(self.data, type_)
        except msgspec.DecodeError as error:
            raise Poison(f"{self.subject}: {error}") from error


class Replayed(Message, frozen=True, kw_only=True):
    """What became of a dead letter that its consumer was given once more."""

    error: str = ""
    """Why it still cannot be handled; empty when it was."""


BatchHandler = Callable[[list[Delivery]], Awaitable[None]]


def _delivery(message: Msg) -> Delivery:
    told = origin(message.reply)
    return Delivery(message.subject, message.data, told.sequence, told.attempt, told.at, message.headers or {})


class Consumption:
    """A running consumer."""

    def __init__(
        self,
        client: Client,
        jetstream: JetStream,
        spec: Consumer,
        handler: BatchHandler,
        suspects: Suspects,
        failed: Callable[[], None],
    ) -> None:
        """`failed` is told if it ends by an error of ours: a process that reads nothing must not look well."""
        self._failed = failed
        self._suspects = suspects
        self._client = client
        self._jetstream = jetstream
        self._spec = spec
        self._handler = handler
        self._wanted = 0
        self._declared = False
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        """No more than one pull request brings. nats-py's `next_msg` starts two tasks for every message."""
        self._replays: Subscription | None = None
        self._handling = asyncio.Semaphore(spec.at_once)
        self._turns = asyncio.Semaphore(spec.at_once)
        """Of batches, from their first message to their acknowledgement."""
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._in_hand = 0
        """Batches that are worked on."""
        self._taking = False
        """A batch is being put together."""

    async def start(self) -> None:
        await self._declare()
        self._subscription = await self._client.subscribe(self._inbox, cb=self._arrive)
        subject = subjects.replay(self._spec.stream, self._spec.durable)
        self._replays = await self._client.subscribe(subject, queue="replay", cb=self._replay)
        self._task = asyncio.create_task(self._run(), name=f"consume:{self._spec.durable}")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Finishes what is in hand; what is not acknowledged is delivered again."""
        self._stopping = True
        if self._task is not None:
            if self._in_hand or self._taking:
                await asyncio.wait({self._task}, timeout=self._spec.ack_wait)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for subscription in (self._subscription, self._replays):
            if subscription is not None:
                with suppress(NatsError):
                    await subscription.unsubscribe()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.critical("consumer_failed", consumer=self._spec.durable, exc_info=task.exception())
            self._failed()

    async def _declare(self) -> None:
        spec = self._spec
        config = api.ConsumerConfig(
            name=spec.durable,
            durable_name=spec.durable,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=spec.ack_wait,
            max_deliver=-1,
            filter_subjects=list(spec.subjects) or None,
            max_ack_pending=spec.max_ack_pending,
        )
        try:
            await self._jetstream.api.add_consumer(spec.stream, config)
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"consumer {spec.durable} on {spec.stream}: {error!r}") from error
        self._declared = True

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as batches:
            while True:
                await self._turns.acquire()
                if self._stopping:
                    break
                batch: list[Msg] = []
                try:
                    batch = await self._next_batch()
                except (BusError, NatsError) as error:
                    await self._retry(error)
                if batch:
                    batches.create_task(self._work(batch))
                else:
                    self._turns.release()
                self._taking = False

    async def _work(self, batch: list[Msg]) -> None:
        self._in_hand += 1
        try:
            await self._process(batch)
        except (BusError, NatsError) as error:
            await self._retry(error)
        finally:
            self._in_hand -= 1
            self._turns.release()

    async def _retry(self, error: Exception) -> None:
        log.warning("consumer_retries", consumer=self._spec.durable, error=repr(error))
        if isinstance(error, BusUnavailable):
            self._jetstream.standstill.unanswered()
        await asyncio.sleep(1.0)

    async def _next_batch(self) -> list[Msg]:
        if not self._declared:
            # The server said that the consumer is gone, or nobody answered for it: not a thing to ask in a tight loop.
            await asyncio.sleep(0.5)
            await self._declare()
        if self._wanted <= 0:
            await self._pull()
        first = await self._receive(_SILENCE)
        if first is None:
            self._wanted = 0
            return []
        self._jetstream.standstill.answered()
        self._taking = True
        batch = [first] if self._take(first) else []
        while batch and len(batch) < self._spec.batch and self._wanted > 0:
            more = origin(batch[-1].reply).pending > 0
            message = await self._receive(max(self._spec.linger, _MORE if more else 0.0))
            if message is None:
                break
            if self._take(message):
                batch.append(message)
        return batch

    async def _pull(self) -> None:
        self._wanted = self._spec.batch
        request = {
            "batch": self._spec.batch,
            "expires": int(_EXPIRES * 1e9),
            "idle_heartbeat": int(_HEARTBEAT * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._spec.stream}.{self._spec.durable}"
        await self._client.publish(subject, msgspec.json.encode(request), reply=self._inbox)

    async def _arrive(self, message: Msg) -> None:
        self._arrived.put_nowait(message)

    async def _receive(self, timeout: float) -> Msg | None:
        with suppress(asyncio.QueueEmpty):
            return self._arrived.get_nowait()
        if timeout <= 0:
            return None
        try:
            async with asyncio.timeout(timeout):
                return await self._arrived.get()
        except TimeoutError:
            return None

    def _take(self, message: Msg) -> bool:
        """Whether it is a message; a status (ADR-13) other than a heartbeat ends the outstanding pull request."""
        status = (message.headers or {}).get("Status")
        if status is None:
            self._wanted -= 1
            return True
        if status != _STATUS_HEARTBEAT:
            self._wanted = 0
            self._declared = status == _STATUS_EXPIRED
        return False

    async def _process(self, batch: list[Msg]) -> None:
        async with self._in_progress(batch):
            suspects = [message for message in batch if origin(message.reply).attempt > self._spec.max_deliver]
            if suspects:
                await self._settle_suspects(suspects)
                batch = [message for message in batch if origin(message.reply).attempt <= self._spec.max_deliver]
            if batch:
                await self._settle(batch)

    async def _settle_suspects(self, messages: list[Msg]) -> None:
        """One at which processes died is set aside; the others are handled."""
        for chunk in await self._suspects.chunks(messages):
            if chunk.times >= DEATHS:
                await self._set_aside(chunk.messages[0], Poison(f"{chunk.times} processes ended while it was handled"))
            else:
                await self._suspects.begin(chunk)
                await self._settle(list(chunk.messages))
            await self._suspects.end(chunk)

    async def _settle(self, batch: list[Msg]) -> None:
        """Acknowledge it, or hand it back. If some message of it is bad, half by half: the others go through."""
        error = await self._handle([_delivery(message) for message in batch])
        if error is None:
            await self._acknowledge(batch)
        elif len(batch) == 1 or isinstance(error, Unavailable):
            for message in batch:
                await self._fail(message, error)
        else:
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])

    async def _handle(self, batch: list[Delivery]) -> Exception | None:
        try:
            async with self._handling:
                with tracing.batch(f"consume {self._spec.durable}", (each.headers for each in batch)):
                    await self._handler(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is handed back or set aside
            return error
        return None

    async def _replay(self, message: Msg) -> None:
        """A dead letter once more, for this consumer alone: on its own subject others would hear it a second time. It
        is not acknowledged, and not set aside again: who sent it is told, and still has it."""
        headers = message.headers or {}
        try:
            sequence = int(headers.get(ORIGINAL_SEQUENCE, ""))
            at = float(headers.get(STORED_AT, ""))
            delivery = Delivery(headers[ORIGINAL_SUBJECT], message.data, sequence, 1, at, headers)
        except (KeyError, ValueError) as malformed:
            error: Exception | None = malformed
        else:
            error = await self._handle([delivery])
            log.info("message_replayed", consumer=self._spec.durable, subject=delivery.subject, error=repr(error))
        await message.respond(encode(Replayed(error=repr(error) if error is not None else "")))

    async def _acknowledge(self, batch: list[Msg]) -> None:
        """Unconfirmed acknowledgements are harmless: the messages come again, and handlers are idempotent."""
        for message in batch[:-1]:
            await message.ack()
        with suppress(NatsError, TimeoutError):
            await batch[-1].ack_sync(timeout=5.0)

    async def _fail(self, message: Msg, error: Exception) -> None:
        attempt = origin(message.reply).attempt
        transient = isinstance(error, Unavailable)
        if isinstance(error, Poison) or (not transient and attempt >= self._spec.max_deliver):
            await self._set_aside(message, error)
            return
        log.warning(
            "message_handed_back",
            consumer=self._spec.durable,
            subject=message.subject,
            attempt=attempt,
            error=repr(error),
            exc_info=None if transient else error,
        )
        _redeliveries.labels(self._spec.stream, self._spec.durable).inc()
        await message.nak(delay=self._spec.delay(attempt))

    async def _set_aside(self, message: Msg, error: Exception) -> None:
        """Copy it to the dead letters with what is needed to send it again; only then give it up."""
        told = origin(message.reply)
        headers = {
            MESSAGE_ID: f"{self._spec.stream}.{self._spec.durable}.{told.sequence}",
            ORIGINAL_SUBJECT: message.subject,
            ORIGINAL_SEQUENCE: str(told.sequence),
            STORED_AT: f"{told.at:.6f}",
            REASON: " ".join(repr(error).split())[:500],
        }
        subject = subjects.dead_letter(self._spec.stream, self._spec.durable)
        await self._jetstream.store(subject, message.data, headers, timeout=5.0)
        await message.term()
        _dead_letters.labels(self._spec.stream, self._spec.durable).inc()
        log.error("message_set_aside", consumer=self._spec.durable, subject=message.subject, error=repr(error))

    @asynccontextmanager
    async def _in_progress(self, batch: list[Msg]) -> AsyncIterator[None]:
        """Tells the server at a third of `ack_wait` that the batch is still being worked on."""

        async def remind() -> None:
            while True:
                await asyncio.sleep(self._spec.ack_wait / 3)
                for message in batch:
                    if not message.is_acked:
                        await message.in_progress()

        reminder = asyncio.create_task(remind())
        try:
            yield
        finally:
            reminder.cancel()
