"""Where arithmetic is not enough: queues that fill at once."""

import heapq
import random
from dataclasses import dataclass

from deploy.scaling.capacity import STORES_OF_AN_ORDER, STORES_PER_STREAM

DECIDE = 0.07e-3
SUBMIT = 0.53e-3
"""Seconds of a bots process per order: 0.6 to 0.73 ms, of which the decision comes first."""
FORWARD = 0.45e-3
"""Seconds of a gateway per order: 0.3 to 0.7 ms with the bus's part."""
HANDSHAKE = 2.0e-3
"""Seconds of an edge to take in one browser: 0.64 ms of Socket.IO, a token to verify, what it missed or a snapshot."""
GIVE_UP = 20.0
FIRST_DELAY, LAST_DELAY = 1.0, 5.0
"""Of Socket.IO's client: it waits a second (and up to half more or less), then twice as long, five at most."""


_TRIES = 10
"""After so many failures a browser counts as one that does not come back."""


class Station:
    """Serves one after the other."""

    def __init__(self) -> None:
        self.free = 0.0

    def serve(self, at: float, seconds: float) -> float:
        """When it is done."""
        self.free = max(at, self.free) + seconds
        return self.free


@dataclass(frozen=True, slots=True)
class Burst:
    written_p99: float
    """Seconds from the signal until the order is written down…"""
    accepted_p99: float
    """…and until the broker has confirmed it, without the broker's own time."""


def burst(orders: int, runtimes: int, gateways: int, stores: float = STORES_PER_STREAM) -> Burst:
    """A full minute: so many bots decide at once. `stores`: of the stream of orders, a second."""
    chance = random.Random(1)  # noqa: S311 - a simulation, the same each time
    bots = [Station() for _ in range(runtimes)]
    doors = [Station() for _ in range(gateways)]
    stream = Station()
    decided = sorted(bots[number % runtimes].serve(0.0, DECIDE) for number in range(orders))
    written = [stream.serve(at, 1 / stores) for at in decided]
    sent = [doors[chance.randrange(gateways)].serve(bots[number % runtimes].serve(at, SUBMIT), FORWARD)
            for number, at in enumerate(written)]  # fmt: skip
    permitted = [stream.serve(at, (STORES_OF_AN_ORDER - 2) / stores) for at in sorted(sent)]
    return Burst(_p99(written), _p99(permitted))


@dataclass(frozen=True, slots=True)
class Return:
    within: float
    """Seconds until 99 of 100 browsers are back."""
    tries: float
    """Of each, on average."""


def reconnect(sockets: int, handshake: float = HANDSHAKE) -> Return:
    """Everybody of one edge lost the connection in the same moment, and comes back to it. A browser that gave up
    waiting has cost the edge its work all the same, for it notices too late."""
    chance = random.Random(1)  # noqa: S311 - a simulation, the same each time
    edge = Station()
    coming = [(_delay(chance, 0), 0) for _ in range(sockets)]
    heapq.heapify(coming)
    back: list[float] = []
    tries = 0
    while coming:
        at, failed = heapq.heappop(coming)
        tries += 1
        done = edge.serve(at, handshake)
        if done - at <= GIVE_UP:
            back.append(done)
        elif failed < _TRIES:
            heapq.heappush(coming, (at + GIVE_UP + _delay(chance, failed + 1), failed + 1))
    within = _p99(back) if len(back) >= sockets * 0.99 else float("inf")
    return Return(within, tries / sockets)


def _delay(chance: random.Random, failed: int) -> float:
    return min(FIRST_DELAY * float(2**failed), LAST_DELAY) * chance.uniform(0.5, 1.5)


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]
