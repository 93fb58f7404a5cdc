"""Events about digital options, once a second (quadcode-protocol §13)."""

from services.paper_broker import wire
from services.paper_broker.broker import Broker
from services.paper_broker.digital_instruments import Instrument, begun, numbered
from services.paper_broker.digital_requests import instrument_record
from services.paper_broker.epoch import ticks_before
from services.paper_broker.pricing import Price
from services.paper_broker.topics import DIGITAL_INSTRUMENT, DIGITAL_PRICE

_TRADING_GROUP = "paper"


class DigitalFeed:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._told = broker.now() // 1000
        """Epoch second up to which instruments have been announced."""

    def tick(self, time: int) -> None:
        """`time` in epoch milliseconds; seconds may have been left out since the last one."""
        self._publish_instruments(time // 1000)
        self._publish_prices(time)

    def _publish_instruments(self, second: int) -> None:
        for topic in self._broker.hub.topics(DIGITAL_INSTRUMENT):
            for instrument in begun(int(topic.filters[0]), self._told, second):
                record = instrument_record(self._broker.digital.offers, instrument)
                self._broker.hub.publish(topic, _event(DIGITAL_INSTRUMENT, record))
        self._told = max(self._told, second)

    def _publish_prices(self, time: int) -> None:
        for topic in self._broker.hub.topics(DIGITAL_PRICE):
            asset_id, number, _ = topic.filters
            instrument = numbered(int(number), time // 1000)
            if instrument is not None and instrument.active_id == asset_id:
                msg = self._prices(instrument, time)
                self._broker.hub.publish_latest(topic, _event(DIGITAL_PRICE, msg))

    def _prices(self, instrument: Instrument, time: int) -> dict[str, object]:
        """Calls and puts of every strike: clients fail on an entry without one of them (pitfall P12)."""
        offers, market = self._broker.digital.offers, self._broker.market
        quote = market.quote(offers.active(instrument), ticks_before(time)).value
        entries = []
        for strike in offers.strikes(instrument):
            prices = offers.prices(instrument, strike, quote, time)
            call, put = instrument.symbol("call", strike), instrument.symbol("put", strike)
            entries.append({"strike": strike.name, "call": _side(call, prices.call), "put": _side(put, prices.put)})
        return {
            "instrument_index": instrument.number,
            "asset_id": instrument.active_id,
            "digital_option_trading_group_id": _TRADING_GROUP,
            "quote_time": time,
            "prices": entries,
        }


def _event(name: str, msg: object) -> bytes:
    service, _, event = name.partition(".")
    return wire.event(service, event, msg)


def _side(symbol: str, price: Price) -> dict[str, object]:
    return {"symbol": symbol, "ask": price.ask, "bid": price.bid}
