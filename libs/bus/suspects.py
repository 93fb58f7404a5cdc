"""What a process may have died at: a message that kills its consumer must not come again for ever.

A message that failed is counted by the consumer itself. Of one that came more often than that, the process died with it
in hand, or could not do it for want of something. Before such messages are handled it is written down which they are,
and wiped out after; what is found written down was in hand when a process died. Then half as many are handled at once,
down to one, and one at which a process died a few times alone is set aside. Nothing is written while all is well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nats.aio.msg import Msg

from libs.bus.keyvalue import KeyValue
from libs.bus.origin import origin
from libs.contracts.codec import Message

DEATHS = 3
"""Of a process with one message alone in hand before that is set aside."""


class InHand(Message, frozen=True, kw_only=True):
    """Messages of a consumer that are, or were, handled together; by the sequence of the first."""

    last: int
    """The last one's sequence."""
    count: int
    times: int
    """How often it was begun."""


@dataclass(frozen=True, slots=True)
class Chunk:
    messages: tuple[Msg, ...]
    times: int
    """How often a process died with exactly this message alone; 0 of several."""

    @property
    def first(self) -> int:
        return origin(self.messages[0].reply).sequence

    @property
    def last(self) -> int:
        return origin(self.messages[-1].reply).sequence


class Suspects:
    """Of one consumer. Every method raises BusError."""

    def __init__(self, bucket: KeyValue, stream: str, durable: str) -> None:
        self._bucket = bucket
        self._prefix = f"{durable}.{stream}"

    async def chunks(self, messages: Sequence[Msg]) -> list[Chunk]:
        """These messages as they are to be handled: together, but for those that somebody died with."""
        entries = await self._bucket.entries(f"{self._prefix}.*", InHand)
        known = sorted(((int(entry.key.rpartition(".")[2]), entry.value) for entry in entries), key=_size)
        return list(_split(sorted(messages, key=_sequence), known))

    async def begin(self, chunk: Chunk) -> None:
        in_hand = InHand(last=chunk.last, count=len(chunk.messages), times=chunk.times + 1)
        await self._bucket.put(self._key(chunk), in_hand)

    async def end(self, chunk: Chunk) -> None:
        """Whatever came of it, nobody died."""
        await self._bucket.delete(self._key(chunk))

    def _key(self, chunk: Chunk) -> str:
        return f"{self._prefix}.{chunk.first}"


Known = tuple[int, InHand]


def _split(messages: Sequence[Msg], known: Sequence[Known]) -> Iterator[Chunk]:
    """`known`: the smallest first."""
    waiting: list[Msg] = []
    died_with: Known | None = None
    for message in messages:
        covering = next((one for one in known if one[0] <= _sequence(message) <= one[1].last), None)
        if waiting and (covering != died_with or len(waiting) >= _most(covering, len(messages))):
            yield _chunk(waiting, died_with)
            waiting = []
        died_with = covering
        waiting.append(message)
    if waiting:
        yield _chunk(waiting, died_with)


def _chunk(messages: Sequence[Msg], died_with: Known | None) -> Chunk:
    alone = died_with is not None and died_with[1].count == 1
    return Chunk(tuple(messages), died_with[1].times if died_with is not None and alone else 0)


def _most(covering: Known | None, others: int) -> int:
    return others if covering is None else max(1, covering[1].count // 2)


def _sequence(message: Msg) -> int:
    return origin(message.reply).sequence


def _size(known: Known) -> int:
    return known[1].count
