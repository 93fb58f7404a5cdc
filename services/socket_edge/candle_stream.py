"""One feed to every socket that shows it: newest first, at most nine times a second."""

from collections.abc import Callable
from typing import Protocol

from engineio.packet import Packet

from libs.bus import tracing
from libs.contracts.market import Candle, Feed
from services.socket_edge.emissions import CANDLE, CANDLE_UPDATE, Emission
from services.socket_edge.payloads import FeedCandle
from services.socket_edge.responses import CandleOut

INTERVAL = 0.125
"""Seconds between updates of one feed. With the last word of a closed candle that makes nine in a second at most."""


class Outlet(Protocol):
    """Where updates go (Fanout)."""

    def encode(self, emission: Emission, payload: object) -> Packet: ...
    def offer(self, sid: str, packet: Packet) -> bool: ...


class Watch:
    """One subscription of one socket. It is never reused: what belongs to an older one is recognised by identity."""

    def __init__(self, sid: str, asset: str = "") -> None:
        """`asset`: what its updates call the feed's asset; empty for the chart, whose updates name nothing."""
        self.sid = sid
        self.asset = asset
        self.feed: Feed | None = None
        self.live = False
        """Whether history was sent, so that updates may follow."""
        self.until = 0
        """Epoch seconds: the end of the last candle sent. A lower one must never follow."""
        self.version = 0
        """Of the stream, as last sent."""


class CandleStream:
    def __init__(self, outlet: Outlet, later: Callable[[float, Callable[[], None]], object]) -> None:
        """`later(seconds, action)`: the event loop's call_later."""
        self.watches: set[Watch] = set()
        self._outlet = outlet
        self._later = later
        self._latest: Candle | None = None
        self.version = 0
        """Counts what the feed brought."""
        self._sent_version = 0
        self._paused = False

    async def receive(self, _subject: str, candle: Candle) -> None:
        if self._latest is not None and candle.end > self._latest.end and self.version > self._sent_version:
            self._send()  # the closed candle's last word is not replaced by the next candle's first
        self._latest = candle
        self.version += 1
        self.flush()

    def begin(self, watch: Watch, until: int) -> None:
        """Its history is sent, up to `until`; now it gets what came meanwhile, and all that follows."""
        watch.live, watch.until = True, until
        if self._latest is not None and self._due(watch):
            self._update(watch, self._packet(self._latest, watch.asset), self._latest.end)

    def flush(self) -> None:
        """Send what is new, now or when the interval allows it."""
        if not self._paused:
            complete = self._send()
            self._paused = True
            self._later(INTERVAL, self._resume if complete else self._retry)

    def _resume(self) -> None:
        self._paused = False
        if self.version > self._sent_version:
            self.flush()

    def _retry(self) -> None:
        """Some socket was behind; the newest waits for it."""
        self._paused = False
        self.flush()

    def _send(self) -> bool:
        """False when a socket was behind."""
        self._sent_version = self.version
        due = [watch for watch in self.watches if self._due(watch)]
        if self._latest is None or not due:
            return True
        with tracing.span("tell sockets", event="candle"):
            packets = {asset: self._packet(self._latest, asset) for asset in {watch.asset for watch in due}}
            served = [self._update(watch, packets[watch.asset], self._latest.end) for watch in due]
        return all(served)

    def _packet(self, candle: Candle, asset: str) -> Packet:
        if not asset:
            return self._outlet.encode(CANDLE_UPDATE, candle_out(candle))
        return self._outlet.encode(CANDLE, feed_candle(candle, asset, self.version))

    def _due(self, watch: Watch) -> bool:
        until = 0 if self._latest is None else self._latest.end
        return watch.live and watch.version < self.version and until >= watch.until

    def _update(self, watch: Watch, packet: Packet, until: int) -> bool:
        if not self._outlet.offer(watch.sid, packet):
            return False
        watch.version, watch.until = self.version, until
        return True


def candle_out(candle: Candle) -> CandleOut:
    return CandleOut(
        time=candle.end, open=candle.open, high=candle.high, low=candle.low, close=candle.close, volume=candle.volume
    )


def feed_candle(candle: Candle, asset: str, seq: int) -> FeedCandle:
    return FeedCandle(
        asset=asset,
        active_id=candle.active_id,
        timeframe=candle.size,
        seq=seq,
        time=candle.end,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
    )


def history(candles: tuple[Candle, ...]) -> list[CandleOut]:
    """Strictly ascending in time; of two with the same end the later one is the newer version."""
    by_end = {candle.end: candle for candle in candles}
    return [candle_out(by_end[end]) for end in sorted(by_end)]
