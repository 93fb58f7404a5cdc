"""The one timer of the platform: twice a second prices move, once a second everything else does."""

import asyncio

import structlog

from services.paper_broker import wire
from services.paper_broker.broker import Broker
from services.paper_broker.candles import written
from services.paper_broker.catalogue import Active
from services.paper_broker.digital_feed import DigitalFeed
from services.paper_broker.epoch import BEGINNING, ticks_before
from services.paper_broker.hub import Topic
from services.paper_broker.listings import ListingFeed
from services.paper_broker.portfolio import Record, margin_valuation, valuation
from services.paper_broker.positions import Position
from services.paper_broker.topics import CANDLE, EXCHANGE_RATE, MARGIN_BALANCE, POSITIONS_STATE, QUOTE
from services.paper_broker.watch import VALID_SECONDS

STEP = 500
"""Milliseconds between updates of candles and quotes."""
_STEPS_PER_SECOND = 1000 // STEP
_CATCH_UP = 4
"""Steps that are made up for after a stall, times the speed; clients repair longer holes from history."""
_LOGIN_TIME = 30_000
"""Milliseconds a connection may take to authenticate, however fast the platform's time passes."""

log = structlog.get_logger()


class Ticker:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._digital = DigitalFeed(broker)
        self._listings = ListingFeed(broker)

    async def run(self) -> None:
        broker = self._broker
        done = broker.now() // STEP
        while True:
            await asyncio.sleep(broker.waiting((STEP - broker.now() % STEP) / 1000))
            now = broker.now()
            current = now // STEP
            for step in range(max(done + 1, current - _CATCH_UP * broker.speed + 1), current):
                self.catch_up(step * STEP)
                await asyncio.sleep(0)  # so that what was published is sent before the next replaces it
            if current > done:
                self.tick(current * STEP, now, second=current // _STEPS_PER_SECOND > done // _STEPS_PER_SECOND)
            done = current

    def catch_up(self, time: int) -> None:
        """What must not be missing of a time that is over: the ends of candles."""
        self._publish_candles(time, ends_only=True)

    def tick(self, time: int, now: int | None = None, *, second: bool | None = None) -> None:
        """Everything that is due at a time (epoch milliseconds, a multiple of STEP); `now` may be a little later.

        `second` tells whether a second is over, which after a stall may be before `time`.
        """
        now = time if now is None else now
        second = time % 1000 == 0 if second is None else second
        if second:
            self._synchronise(now)
        self._broker.catch_up()
        self._publish_quotes(now)
        self._publish_exchange_rates(now)
        self._publish_candles(time)
        if second:
            self._settle()
            self._publish_margin_balances()
            self._publish_valuations(time)
            self._digital.tick(time)
            self._listings.tick(time // 1000)

    def _publish_quotes(self, time: int) -> None:
        for topic in self._broker.hub.topics(QUOTE):
            active = self._active(topic)
            quote = self._broker.market.quote(active, ticks_before(time))
            msg = {
                "active_id": active.id,
                "time": time,
                "ask": quote.ask,
                "bid": quote.bid,
                "value": quote.value,
                "phase": _phase(active, time),
            }
            self._broker.hub.publish_latest(topic, wire.event("quotes", QUOTE, msg))

    def _publish_exchange_rates(self, time: int) -> None:
        for topic in self._broker.hub.topics(EXCHANGE_RATE):
            base, quote = map(str, topic.filters)
            rate = self._broker.rates.rate(base, quote, ticks_before(time))
            if rate is not None:
                msg = {
                    "base_currency": base,
                    "quote_currency": quote,
                    "ask": f"{rate.ask:f}",
                    "bid": f"{rate.bid:f}",
                    "changed_at": time,
                }
                self._broker.hub.publish_latest(topic, wire.event("exchange-rates", "exchange-rate-generated", msg))

    def _publish_candles(self, time: int, *, ends_only: bool = False) -> None:
        for topic in self._broker.hub.topics(CANDLE):
            size = int(topic.filters[1])
            if ends_only and (time - BEGINNING * 1000) % (size * 1000):
                continue
            frame = self._candle(self._active(topic), size, time)
            if frame is not None:
                self._broker.hub.publish_latest(topic, frame)

    def _candle(self, active: Active, size: int, time: int) -> bytes | None:
        """The last update of a candle has `at` equal to its end; until then nothing is known of the next one."""
        market = self._broker.market
        running = market.running(active, size, time)
        if running is None:
            return None
        candle = written(running, size, time * 1_000_000, 10 ** market.precision(active))
        quote = market.quoted(active, running.bar.close)
        msg = {
            "active_id": active.id,
            "size": size,
            "id": candle.id,
            "from": candle.from_,
            "to": candle.to,
            "at": candle.at,
            "open": candle.open,
            "close": candle.close,
            "min": candle.min,
            "max": candle.max,
            "ask": quote.ask,
            "bid": quote.bid,
            "volume": candle.volume,
            "phase": _phase(active, time),
        }
        return wire.event("quotes", CANDLE, msg)

    def _settle(self) -> None:
        for position in self._broker.options.settle():
            self._broker.announcer.closed(position)

    def _publish_margin_balances(self) -> None:
        """Their worth moves while positions are open."""
        for topic in self._broker.hub.topics(MARGIN_BALANCE):
            for balance in self._broker.accounts.balances(int(topic.filters[0])):
                if balance.watched and self._broker.margin.book.of(balance.id):
                    record = self._broker.margin.balances.record(balance)
                    frame = wire.event("marginal-portfolio", "balance-changed", record)
                    self._broker.hub.publish_latest(topic, frame)

    def _publish_valuations(self, time: int) -> None:
        broker = self._broker
        for topic in broker.hub.topics(POSITIONS_STATE):
            user_id = int(topic.filters[0])
            watched = broker.watch.ids(user_id, time)
            positions = []
            for position in broker.positions.open(user_id) if watched else ():
                if position.id in watched:
                    positions += self._valued(position, time)
            if positions:
                msg = {"user_id": user_id, "subscription_id": 1, "expires_in": VALID_SECONDS, "positions": positions}
                broker.hub.publish_latest(topic, wire.event("portfolio", "positions-state", msg))

    def _valued(self, position: Position, time: int) -> list[Record]:
        """Nothing if its active is gone."""
        broker, tick = self._broker, ticks_before(time)
        active = broker.catalogue.get(position.active_id)
        balance = broker.accounts.balance(position.user_id, position.balance_id)
        if active is None or balance is None:
            return []
        if position.exposure is not None:
            return [margin_valuation(position, broker.margin.prices.valued(position, balance.currency, tick), time)]
        quote = broker.market.quote(active, tick).value
        return [valuation(position, quote, broker.selling.bid(position, time), time)]

    def _synchronise(self, now: int) -> None:
        """The clock for those who are logged in; the end for those whose session is over or who never log in."""
        frame = wire.time_sync(now)
        for connection in self._broker.hub:
            if connection.session is None:
                if now - connection.since > _LOGIN_TIME * self._broker.speed:
                    connection.drop()
            elif connection.session.expires_at <= now:
                log.info("session_expired", broker_user=connection.session.user_id)
                connection.drop()
            else:
                connection.send_latest("timeSync", frame)

    def _active(self, topic: Topic) -> Active:
        active = self._broker.catalogue.get(int(topic.filters[0]))
        if active is None:
            raise LookupError(f"subscription to unknown active: {topic}")
        return active


def _phase(active: Active, time: int) -> str:
    return "T" if active.tradable(time // 1000) else "C"
