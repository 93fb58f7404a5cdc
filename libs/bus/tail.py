"""Following a stream: all that is stored from now on, in order, each once, also over a lost connection.

A new beginning is just behind the last that came, so what was stored meanwhile is read late instead of lost.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import api

from libs.bus import tracing
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import JetStream
from libs.bus.ordered import Ordered
from libs.bus.origin import Origin
from libs.bus.past import Stored
from libs.bus.topology import Stream
from libs.contracts.clock import Clock

OnMessage = Callable[[Stored], None]

_HEARTBEAT = 2.0


class Tail:
    """Made by `Bus.tail`. `on_message` must not raise."""

    def __init__(self, jetstream: JetStream, stream: Stream, subject: str, clock: Clock, on_message: OnMessage) -> None:
        self.position = 0
        """Number of the last message that came; what comes later has higher ones."""
        self._jetstream = jetstream
        self._stream = stream
        self._receives = f"receive {stream.name}"
        self._subject = subject
        self._on_message = on_message
        self._consumer = Ordered(jetstream, stream.name, _HEARTBEAT, clock, self._where, self._receive)

    async def start(self) -> None:
        await self._consumer.begin()
        self._consumer.keep_up()

    async def stop(self) -> None:
        await self._consumer.stop()

    def mark_stale(self) -> None:
        """Called after a reconnect: what happened meanwhile is unknown."""
        self._consumer.mark_stale()

    async def _where(self) -> Mapping[str, Any]:
        try:
            extent = await self._jetstream.extent(self._stream)
        except (NatsError, TimeoutError) as error:
            raise BusUnavailable(f"{self._stream.name}: {error!r}") from error
        if not 0 < self.position <= extent.last:
            self.position = extent.last  # the first start; or the store was lost, and numbers with it
        return {
            "deliver_policy": api.DeliverPolicy.BY_START_SEQUENCE,
            "opt_start_seq": self.position + 1,
            "filter_subject": self._subject,
        }

    def _receive(self, message: Msg, origin: Origin) -> None:
        self.position = origin.sequence
        with tracing.received(self._receives, message.headers, subject=message.subject):
            self._on_message(Stored(message.subject, message.data, origin.sequence, origin.at))
