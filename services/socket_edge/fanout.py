"""From one event to the sockets that should have it, bounded for those that read slowly."""

from collections.abc import Iterable
from typing import Any

import structlog
from engineio.packet import Packet
from prometheus_client import Counter

from services.socket_edge.emissions import Emission
from services.socket_edge.engine import Engine

log = structlog.get_logger()

BEHIND = 16
"""Waiting packets from which a socket gets no more of what the next one replaces."""
OVERFLOW = 2048
"""Waiting packets at which a socket is cut off."""

_skipped = Counter("pregao_edge_candles_skipped_total", "Candle updates not given to a socket that reads slowly")
_cut = Counter("pregao_edge_sockets_cut_total", "Sockets cut off", ["reason"])


class Fanout:
    def __init__(self, engine: Engine, budget: int) -> None:
        """`budget`: bytes that may wait for one socket."""
        self._engine = engine
        self._budget = budget

    def encode(self, emission: Emission, payload: Any) -> Packet:
        return self._engine.encode(emission.name, payload, emission.namespace)

    def offer(self, sid: str, packet: Packet) -> bool:
        """What a newer one replaces; False when the socket must catch up first and did not get it."""
        outbox = self._engine.outbox(sid)
        if outbox is None:
            return True
        if outbox.qsize() >= BEHIND or outbox.size >= self._budget // 2:
            _skipped.inc()
            return False
        outbox.send(packet)
        return True

    def deliver(self, sid: str, packet: Packet) -> None:
        """What must not be left out: the socket gets it, or is cut off, comes back, and says what it saw last."""
        outbox = self._engine.outbox(sid)
        if outbox is None:
            return
        if outbox.qsize() >= OVERFLOW or outbox.size >= self._budget:
            self.cut(sid, "overflow")
        else:
            outbox.send(packet)

    def keeps_up(self, sid: str) -> bool:
        """Whether there is room for more of what may come in pieces."""
        outbox = self._engine.outbox(sid)
        return outbox is None or (outbox.qsize() < OVERFLOW // 2 and outbox.size < self._budget // 2)

    def deliver_to(self, sids: Iterable[str], emission: Emission, payload: Any) -> None:
        """As `deliver`, encoded once."""
        packet = None
        for sid in sids:
            packet = packet or self.encode(emission, payload)
            self.deliver(sid, packet)

    def enforce(self) -> None:
        """Cut off whom our answers to their own flood have filled up, and the like; to be called about every second."""
        for reason, many in self._engine.cut_offenders(OVERFLOW, self._budget).items():
            _cut.labels(reason).inc(many)
            log.warning("sockets_cut", reason=reason, count=many)

    def cut(self, sid: str, reason: str) -> None:
        _cut.labels(reason).inc()
        log.info("socket_cut", sid=sid, reason=reason)
        self._engine.cut(sid)
