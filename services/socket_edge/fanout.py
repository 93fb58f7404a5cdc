"""From one event to the sockets that should have it, bounded for those that read slowly."""

from typing import Any

import structlog
from engineio.packet import Packet
from prometheus_client import Counter

from services.socket_edge.engine import Engine

log = structlog.get_logger()

BEHIND = 16
"""Waiting packets from which a socket gets no more of what the next one replaces."""
OVERFLOW = 512
"""Waiting packets at which a socket is cut off: it lost its place, and comes back to read the current state."""

_skipped = Counter("pregao_edge_candles_skipped_total", "Candle updates not given to a socket that reads slowly")
_cut = Counter("pregao_edge_sockets_cut_total", "Sockets cut off", ["reason"])


class Fanout:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def encode(self, event: str, payload: Any) -> Packet:
        return self._engine.encode(event, payload)

    def offer(self, sid: str, packet: Packet) -> bool:
        """What a newer one replaces; False when the socket must catch up first and did not get it."""
        if self._engine.waiting(sid) >= BEHIND:
            _skipped.inc()
            return False
        self._engine.put(sid, packet)
        return True

    def deliver(self, sid: str, packet: Packet) -> None:
        """What must not be left out: the socket gets it, or is cut off."""
        if self._engine.waiting(sid) >= OVERFLOW:
            self.cut(sid, "overflow")
        else:
            self._engine.put(sid, packet)

    def deliver_to_room(self, room: str, event: str, payload: Any) -> None:
        members = self._engine.members(room)
        if members:
            packet = self.encode(event, payload)
            for sid in members:
                self.deliver(sid, packet)

    def enforce(self) -> None:
        """Cut off whom our answers to their own flood have filled up; to be called about every second."""
        many = self._engine.cut_longer_than(OVERFLOW)
        if many:
            _cut.labels("flood").inc(many)
            log.warning("sockets_cut", reason="flood", count=many)

    def cut(self, sid: str, reason: str) -> None:
        _cut.labels(reason).inc()
        log.info("socket_cut", sid=sid, reason=reason)
        self._engine.cut(sid)
