"""Requests about digital options (quadcode-protocol §13)."""

import msgspec

from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.digital import PlaceDigitalOption
from services.paper_broker.digital_instruments import DigitalMarket, Instrument, on_offer
from services.paper_broker.errors import invalid
from services.paper_broker.listings import DIGITAL
from services.paper_broker.positions import Direction, InstrumentType
from services.paper_broker.selling import CannotSell
from services.paper_broker.wire import Id

_DIRECTIONS: tuple[Direction, ...] = ("call", "put")


class UnderlyingsQuery(msgspec.Struct, frozen=True):
    filter_suspended: bool = False


class InstrumentsQuery(msgspec.Struct, frozen=True):
    asset_id: int


class ClosePosition(msgspec.Struct, frozen=True):
    position_id: Id
    """External."""


def get_underlyings(broker: Broker, _: Caller, query: UnderlyingsQuery) -> Reply:
    """Changes of the list are told to a connection only when it has this reply (pitfall P1)."""
    now = broker.now() // 1000
    shown = [active for active in broker.catalogue if not (query.filter_suspended and active.suspended)]
    return Reply("underlying-list", DIGITAL.shown(shown, now), opens=DIGITAL.topic)


def get_instruments(broker: Broker, _: Caller, query: InstrumentsQuery) -> Reply:
    if broker.catalogue.get(query.asset_id) is None:
        raise invalid("asset_id", "unknown active")
    offered = on_offer(query.asset_id, broker.now() // 1000)
    shown = [instrument_record(broker.digital.offers, each) for each in offered]
    return Reply("instruments", {"instruments": shown})


def place(broker: Broker, caller: Caller, request: PlaceDigitalOption) -> Reply:
    """Answered by the number of the order; what became of it is told by events (§13.4)."""
    order, position = broker.digital.place(caller.user_id, request)
    if position is not None:
        broker.faults.opened_digital(position)
    broker.announcer.ordered(order, position)
    return Reply("digital-option-placed", {"id": order.id})


def close_position(broker: Broker, caller: Caller, request: ClosePosition) -> Reply:
    try:
        (closed,) = broker.selling.sell(caller.user_id, [request.position_id], (InstrumentType.DIGITAL,))
    except CannotSell as refusal:
        return acknowledged(success=False, reason=str(refusal))
    broker.announcer.sold(closed)
    return acknowledged()


def instrument_record(offers: DigitalMarket, instrument: Instrument) -> dict[str, object]:
    data = [
        {"direction": direction, "strike": strike.name, "symbol": instrument.symbol(direction, strike)}
        for strike in offers.strikes(instrument)
        for direction in _DIRECTIONS
    ]
    return {
        "index": instrument.number,
        "asset_id": instrument.active_id,
        "instrument_type": InstrumentType.DIGITAL,
        "period": instrument.term.period,
        "expiration": instrument.expiration,
        "deadtime": instrument.term.deadtime,
        "data": data,
    }
