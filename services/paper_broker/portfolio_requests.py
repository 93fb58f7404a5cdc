"""Requests about positions and orders (quadcode-protocol §14, §15)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.errors import Refused, Status
from services.paper_broker.portfolio import order_record, record
from services.paper_broker.positions import Position
from services.paper_broker.wire import Id

Limit = Annotated[int, Meta(ge=1, le=1000)]
Offset = Annotated[int, Meta(ge=0, le=10**9)]
Seconds = Annotated[int, Meta(ge=0, le=10**12)]
PAGE = 30


class PositionsQuery(msgspec.Struct, frozen=True):
    instrument_types: list[str]
    limit: Limit = PAGE
    offset: Offset = 0


class HistoryQuery(msgspec.Struct, frozen=True):
    """A page of one's history, or with `external_id` the lookup of one position."""

    instrument_types: list[str]
    user_id: int | None = None
    end: Seconds | None = None
    """Epoch seconds."""
    limit: Limit = PAGE
    offset: Offset = 0
    external_id: Id | None = None


class SubscribePositions(msgspec.Struct, frozen=True):
    ids: frozenset[str]
    frequency: str = "frequent"


class OrdersQuery(msgspec.Struct, frozen=True):
    user_balance_id: Id
    kind: str = "deferred"


def get_positions(broker: Broker, caller: Caller, query: PositionsQuery) -> Reply:
    """Open ones, oldest first."""
    hidden = broker.faults.hidden(broker.now())
    positions = [
        each
        for each in broker.positions.open(caller.user_id)
        if each.instrument_type in query.instrument_types and each.external_id not in hidden
    ]
    page = positions[query.offset : query.offset + query.limit]
    msg = {"limit": query.limit, "total": len(positions), "positions": [record(position) for position in page]}
    return Reply("positions", msg)


def get_history_positions(broker: Broker, caller: Caller, query: HistoryQuery) -> Reply:
    """Closed ones, newest first."""
    if query.user_id not in (None, caller.user_id):
        raise Refused(Status.FORBIDDEN, "user_id is not that of this session")
    if query.external_id is None:
        positions = _page(broker, caller.user_id, query)
    else:
        positions = _looked_up(broker, caller.user_id, query.external_id, query.instrument_types)
    return Reply("history-positions", {"limit": query.limit, "positions": [record(each) for each in positions]})


def _page(broker: Broker, user_id: int, query: HistoryQuery) -> list[Position]:
    """Full as long as there are more, whatever is hidden: a short one is read as the last."""
    until = broker.now() if query.end is None else query.end * 1000 + 999
    hidden = broker.faults.hidden(broker.now())
    return broker.positions.history(user_id, query.instrument_types, until, query.limit, query.offset, hidden)


def _looked_up(broker: Broker, user_id: int, external_id: int, types: list[str]) -> list[Position]:
    found = broker.positions.find(user_id, external_id)
    if found is None or found.closing is None or external_id in broker.faults.hidden(broker.now()):
        return []
    return [found] if found.instrument_type in types else []


def subscribe_positions(broker: Broker, caller: Caller, request: SubscribePositions) -> Reply:
    broker.watch.register(caller.user_id, request.ids, broker.now())
    return acknowledged()


def get_orders(broker: Broker, caller: Caller, query: OrdersQuery) -> Reply:
    """Those of one balance that wait, oldest first."""
    orders = broker.orders.live(caller.user_id, query.user_balance_id, query.kind)
    return Reply("orders", {"items": [order_record(order) for order in orders]})
