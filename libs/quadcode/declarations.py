"""How a message of the protocol is declared: requests as Call, subscriptions as Topic.

The modules named after a concept (candles, options, positions …) declare theirs; nothing else knows message names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from libs.quadcode.frames import Result
from libs.quadcode.server_clock import ServerClock

B = TypeVar("B")
R = TypeVar("R")
E = TypeVar("E")

Filters = tuple[int | str, ...]
Listener = Callable[[E], None]
"""Called by the reader for every event, in order; must return quickly."""


@dataclass(frozen=True, slots=True)
class Call(Generic[B, R]):
    """A request by `sendMessage`. One whose reply is `Result` is answered by the first frame with its id (§3.4)."""

    name: str
    version: str
    body: type[B]
    reply: type[R]

    @property
    def confirmed(self) -> bool:
        return self.reply is Result


@dataclass(frozen=True, slots=True)
class Topic(Generic[E]):
    """Something to subscribe to. An event's own fields named in `filters` say which subscription it belongs to."""

    name: str
    """In the subscribe message; some are bare, some dotted (§2.3)."""
    version: str
    service: str
    """`microserviceName` of the events."""
    event: str
    """`name` of the events."""
    type_: type[E]
    filters: tuple[str, ...] = ()
    frequent: bool = False
    """Comes so often that its frames are decoded in one pass."""


class Subscription(Protocol):
    async def stop(self) -> None:
        """The listener hears nothing more."""
        ...


class Channel(Protocol):
    """What the concepts need of a connection; `Client` is one."""

    @property
    def clock(self) -> ServerClock: ...

    @property
    def user_id(self) -> int:
        """The broker's id of the authenticated user. Raises NotConnected before the first connection."""
        ...

    def available(self, feature: str) -> bool:
        """Whether the broker offers it, for all it said (`libs.quadcode.features` has the names)."""
        ...

    async def request(self, call: Call[B, R], body: B, timeout: float | None = None) -> R:
        """Sent before anything is awaited. Raises NotConnected (nothing was sent) or RequestFailed."""
        ...

    async def subscribe(self, topic: Topic[E], filters: Filters, listener: Listener[E]) -> Subscription:
        """Held until stopped, over every reconnect. Raises RequestFailed."""
        ...

    async def keep(self, call: Call[B, Result], body: B) -> Subscription:
        """A request that asks for events: made now and again on every connection. Raises RequestFailed."""
        ...

    def when_connected(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Called after every new connection, when subscriptions were renewed, and again when one was renewed late.

        Whatever was pushed before is to be asked for. Returns what ends that.
        """
        ...

    def reset(self, reason: str) -> None:
        """Drop the connection; the client connects anew."""
        ...
