"""What the reply subject of a JetStream message says of it (ADR-15).

nats-py's `metadata` says the same at many times the cost, which counts where every message is read.
"""

from typing import NamedTuple

_OLD, _FIRST = 9, 4
"""Tokens of a reply subject without domain and account, and the first that matters in it."""


class Origin(NamedTuple):
    attempt: int
    """1 for the first delivery."""
    sequence: int
    """In the stream."""
    number: int
    """Of the delivery, by its consumer."""
    at: float
    """Epoch seconds, by the server's clock: when it was stored."""
    pending: int
    """Messages that the consumer was not given yet."""


def origin(reply: str) -> Origin:
    """`$JS.ACK.[domain.account.]stream.consumer.attempt.sequence.number.nanoseconds.pending[.token]`."""
    tokens = reply.split(".")
    first = _FIRST if len(tokens) == _OLD else _FIRST + 2
    attempt, sequence, number, nanoseconds, pending = map(int, tokens[first : first + 5])
    return Origin(attempt, sequence, number, nanoseconds / 1e9, pending)
