"""Requests about margin trading; each kind has a service of its own (quadcode-protocol §16)."""

import msgspec

from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.errors import invalid
from services.paper_broker.listings import MARGIN
from services.paper_broker.margin_instruments import MarginKind, instrument_record, kind_of, profile_record
from services.paper_broker.margin_positions import CannotClose
from services.paper_broker.margin_terms import PlaceOrder, PriceField
from services.paper_broker.wire import Id, Nothing


class InstrumentsQuery(msgspec.Struct, frozen=True):
    active_id: int


class ClosePosition(msgspec.Struct, frozen=True):
    position_id: Id
    """External."""


class CancelOrder(msgspec.Struct, frozen=True):
    order_id: Id


class MarginService:
    """The requests of one kind."""

    def __init__(self, kind: MarginKind) -> None:
        self._kind = kind

    def get_underlyings(self, broker: Broker, _: Caller, __: Nothing) -> Reply:
        """Changes of the list are told to a connection only when it has this reply (pitfall P1)."""
        listing = MARGIN[self._kind.instrument_type]
        return Reply("underlying-list", listing.shown(broker.catalogue, broker.now() // 1000), opens=listing.topic)

    def get_instruments(self, broker: Broker, _: Caller, query: InstrumentsQuery) -> Reply:
        active = broker.catalogue.get(query.active_id)
        if active is None or kind_of(active) is not self._kind:
            raise invalid("active_id", f"unknown underlying of margin {self._kind.name}")
        items = [instrument_record(active, broker.now() // 1000)]
        return Reply("instruments-list", {"items": items, "dynamic_leverage_profiles": [profile_record(self._kind)]})

    def place_market_order(self, broker: Broker, caller: Caller, request: PlaceOrder) -> Reply:
        """Booked when this returns; the events follow the booking."""
        broker.catch_up()
        order, position = broker.margin.orders.market(caller.user_id, self._kind, request)
        broker.announcer.ordered(order, position)
        return Reply("order", {"id": order.id})

    def place_stop_order(self, broker: Broker, caller: Caller, request: PlaceOrder) -> Reply:
        return self._defer(broker, caller, request, "stop_price")

    def place_limit_order(self, broker: Broker, caller: Caller, request: PlaceOrder) -> Reply:
        return self._defer(broker, caller, request, "limit_price")

    def close_position(self, broker: Broker, caller: Caller, request: ClosePosition) -> Reply:
        broker.catch_up()
        try:
            closed = broker.margin.positions.close_by_user(caller.user_id, self._kind, request.position_id)
        except CannotClose as refusal:
            return acknowledged(success=False, reason=str(refusal))
        broker.announcer.sold(closed)
        return acknowledged()

    def cancel_pending_order(self, broker: Broker, caller: Caller, request: CancelOrder) -> Reply:
        broker.catch_up()
        order = broker.margin.orders.cancel(caller.user_id, self._kind, request.order_id)
        if order is None:
            return acknowledged(success=False, reason=f"unknown pending order {request.order_id}")
        broker.announcer.ordered(order)
        return acknowledged()

    def _defer(self, broker: Broker, caller: Caller, request: PlaceOrder, field: PriceField) -> Reply:
        broker.catch_up()
        order = broker.margin.orders.defer(caller.user_id, self._kind, request, field)
        broker.announcer.ordered(order)
        return Reply("order", {"id": order.id})
