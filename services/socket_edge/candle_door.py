"""What sockets ask of candles: one chart each (api-contract §8.1), and any further feeds besides it."""

from libs.bus import BusError
from libs.contracts.market import Feed
from libs.contracts.rpc import RpcError
from services.socket_edge import emissions
from services.socket_edge.assets import Assets
from services.socket_edge.candle_hub import CandleHub
from services.socket_edge.candle_stream import Watch
from services.socket_edge.emissions import Emission
from services.socket_edge.errors import ApiError, of_rpc, unavailable
from services.socket_edge.fanout import Fanout
from services.socket_edge.market_api import candle_size
from services.socket_edge.payloads import Ack, CandleSnapshot, Subscribed
from services.socket_edge.reading import from_builtins
from services.socket_edge.requests import CandleSubscription, FeedQuery
from services.socket_edge.responses import CandleOut

_DONE = Ack(ok=True)


class CandleDoor:
    """Every method raises ApiError."""

    def __init__(self, fanout: Fanout, assets: Assets, hub: CandleHub, most: int) -> None:
        """`most`: feeds that one socket may watch besides its chart."""
        self._fanout = fanout
        self._assets = assets
        self._hub = hub
        self._most = most

    async def subscribe(self, sid: str, sent: object) -> Ack:
        watch = self._hub.replace(sid)
        try:
            wanted = from_builtins(sent, CandleSubscription)
            feed = Feed(self._assets.find(wanted.asset).id, candle_size(wanted.timeframe))
            candles = await self._joined(watch, feed)
        except ApiError:
            if not self._hub.current(watch):
                return Ack(ok=False, error="REPLACED")
            self._hub.leave(sid)
            raise
        if not self._hub.current(watch):
            return Ack(ok=False, error="REPLACED")
        self._send(sid, emissions.HISTORY, candles)
        echo = Subscribed(asset=wanted.asset, timeframe=wanted.timeframe, strategy=wanted.strategy)
        self._send(sid, emissions.SUBSCRIBED, echo)
        self._hub.begin(watch, candles[-1].time if candles else 0)
        return _DONE

    async def unsubscribe(self, sid: str, _: object) -> Ack:
        self._hub.leave(sid)
        return _DONE

    async def watch(self, sid: str, sent: object) -> Ack:
        feed, asset = self._feed(sent)
        watched = self._hub.watched(sid)
        if feed not in watched and len(watched) >= self._most:
            raise ApiError(409, "TOO_MANY_FEEDS", f"At most {self._most} feeds may be watched on one socket")
        watch = self._hub.add(sid, feed, asset)
        try:
            candles = await self._joined(watch, feed)
        except ApiError:
            if self._hub.current(watch):
                self._hub.leave(sid, feed)
            raise
        if not self._hub.current(watch):
            return Ack(ok=False, error="REPLACED")
        seq = self._hub.seq(watch)
        told = CandleSnapshot(asset=asset, active_id=feed.active_id, timeframe=feed.size, seq=seq, candles=candles)
        self._send(sid, emissions.CANDLES, told)
        self._hub.begin(watch, candles[-1].time if candles else 0)
        return _DONE

    async def unwatch(self, sid: str, sent: object) -> Ack:
        feed, _ = self._feed(sent)
        self._hub.leave(sid, feed)
        return _DONE

    def _feed(self, sent: object) -> tuple[Feed, str]:
        wanted = from_builtins(sent, FeedQuery)
        active = self._assets.find(wanted.asset)
        return Feed(active.id, candle_size(wanted.timeframe)), active.ticker

    async def _joined(self, watch: Watch, feed: Feed) -> list[CandleOut]:
        try:
            return await self._hub.join(watch, feed)
        except RpcError as error:
            raise of_rpc(error) from error
        except BusError as error:
            raise unavailable() from error

    def _send(self, sid: str, emission: Emission, payload: object) -> None:
        self._fanout.deliver_to([sid], emission, payload)
