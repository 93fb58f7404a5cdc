"""What consumers could never handle: looked at, given to the consumer once more, or thrown away."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from libs.bus.cancellation import Cancellable
from libs.bus.consumer import ORIGINAL_SEQUENCE, ORIGINAL_SUBJECT, REASON, STORED_AT, Replayed
from libs.bus.errors import BusError, BusUnavailable
from libs.bus.jetstream import JetStream
from libs.bus.requests import Requests
from libs.bus.topology import DEAD_LETTERS
from libs.contracts import subjects
from libs.contracts.codec import decode

_TIMEOUT = 35.0
"""Seconds: the consumer may have a batch in hand first."""
_NO_SUCH_MESSAGE = 10057


@dataclass(frozen=True, slots=True)
class DeadLetter:
    number: int
    """In the stream DLQ."""
    stream: str
    consumer: str
    subject: str
    """Where it was published…"""
    sequence: int
    """…and its number in that stream."""
    reason: str
    set_aside: datetime
    stored_at: float
    """Epoch seconds, by the server's clock: when it was published."""
    data: bytes


class NotReplayed(BusError):
    """Its consumer does not run, or still cannot handle it; the letter is where it was."""


class DeadLetters:
    """For operators: asks what no service may."""

    def __init__(self, jetstream: JetStream, requests: Requests) -> None:
        self._jetstream = jetstream
        self._requests = requests

    async def all(self) -> AsyncGenerator[DeadLetter, None]:
        """The oldest first, up to the last there is when it is asked for. Raises BusUnavailable."""
        number, last = 0, (await self._jetstream.extent(DEAD_LETTERS)).last
        while (letter := await self._next(number)) is not None and letter.number <= last:
            yield letter
            number = letter.number

    async def get(self, number: int) -> DeadLetter | None:
        """Raises BusUnavailable."""
        letter = await self._next(number - 1)
        return letter if letter is not None and letter.number == number else None

    async def replay(self, letter: DeadLetter) -> None:
        """Its consumer, and nobody else, handles it now; then it is no dead letter any more.

        Raises NotReplayed; BusUnavailable when nobody knows: to do it again is safe, because every consumer is
        idempotent.
        """
        headers = {
            ORIGINAL_SUBJECT: letter.subject,
            ORIGINAL_SEQUENCE: str(letter.sequence),
            STORED_AT: str(letter.stored_at),
        }
        subject = subjects.replay(letter.stream, letter.consumer)
        try:
            reply = await self._requests.ask(subject, letter.data, _TIMEOUT, headers)
        except NoRespondersError as error:
            raise NotReplayed(f"consumer {letter.consumer} of {letter.stream} does not run") from error
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{subject}: no answer ({error!r})") from error
        if refusal := decode(reply.data, Replayed).error:
            raise NotReplayed(refusal)
        await self.drop(letter.number)

    async def drop(self, number: int) -> None:
        """Throw it away; it need not be there. Raises BusUnavailable."""
        try:
            with Cancellable():
                await self._jetstream.api.delete_msg(DEAD_LETTERS.name, number)
        except APIError as error:
            if error.err_code != _NO_SUCH_MESSAGE:
                raise BusUnavailable(f"dead letter {number}: not deleted ({error!r})") from error
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"dead letter {number}: not deleted ({error!r})") from error

    async def _next(self, number: int) -> DeadLetter | None:
        """The first behind that number."""
        try:
            with Cancellable():
                api = self._jetstream.api
                found = await api.get_msg(DEAD_LETTERS.name, number + 1, subjects.ALL_DEAD_LETTERS, next=True)
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"dead letters: not readable ({error!r})") from error
        return _letter(found)


def _letter(message: RawStreamMsg) -> DeadLetter:
    headers = message.headers or {}
    _, stream, consumer = (message.subject or "").split(".", 2)
    return DeadLetter(
        number=message.seq or 0,
        stream=stream,
        consumer=consumer,
        subject=headers.get(ORIGINAL_SUBJECT, ""),
        sequence=int(headers.get(ORIGINAL_SEQUENCE, "0")),
        reason=headers.get(REASON, ""),
        set_aside=message.time or datetime.fromtimestamp(0, UTC),
        stored_at=float(headers.get(STORED_AT, "0")),
        data=message.data or b"",
    )
