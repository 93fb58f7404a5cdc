"""What the server says unasked: events and the time. Nothing that comes in can end the connection's reader."""

import msgspec
import structlog

from libs.quadcode.frames import MALFORMED, Envelope
from libs.quadcode.routes import Routes
from libs.quadcode.server_clock import ServerClock

log = structlog.get_logger()

_SHOWN = 200
"""Bytes of a malformed frame that are logged."""

_decode_time = msgspec.json.Decoder(float).decode


class Incoming:
    def __init__(self, clock: ServerClock, routes: Routes) -> None:
        self._clock = clock
        self._routes = routes
        self.malformed = 0
        """Frames dropped because they are not what the protocol says."""

    def frequent(self, data: bytes) -> bool:
        """Deal with an event of a frequent kind in one decoding pass; False when it is something else."""
        return self._routes.frequent(data)

    def unasked(self, envelope: Envelope) -> None:
        """Anything without a request id (§3.3); what nobody asked for is ignored."""
        try:
            if envelope.service and envelope.name:
                self._routes.event(envelope.service, envelope.name, envelope.msg)
            elif envelope.name == "timeSync":
                self._clock.sync(_decode_time(envelope.msg))
        except (*MALFORMED, OverflowError) as error:
            self.reject(bytes(envelope.msg), f"{envelope.name}: {error}")

    def reject(self, data: bytes, problem: str) -> None:
        self.malformed += 1
        log.warning("frame_malformed", problem=problem, start=data[:_SHOWN].decode(errors="replace"))
