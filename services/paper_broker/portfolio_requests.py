"""Requests about positions and orders (quadcode-protocol §14, §15)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.errors import Refused, Status
from services.paper_broker.portfolio import order_record, record
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
    positions = [
        each
        for each in broker.positions.open(caller.user_id)
        if each.instrument_type in query.instrument_types and not broker.faults.hidden(each, broker.now())
    ]
    page = positions[query.offset : query.offset + query.limit]
    msg = {"limit": query.limit, "total": len(positions), "positions": [record(position) for position in page]}
    return Reply("positions", msg)


def get_history_positions(broker: Broker, caller: Caller, query: HistoryQuery) -> Reply:
    """Closed ones, newest first."""
    if query.user_id not in (None, caller.user_id):
        raise Refused(Status.FORBIDDEN, "user_id is not that of this session")
    if query.external_id is not None:
        found = broker.positions.find(caller.user_id, query.external_id)
        shown = found is not None and found.closing is not None and found.instrument_type in query.instrument_types
        positions = [found] if found is not None and shown else []
    else:
        until = broker.now() if query.end is None else query.end * 1000 + 999
        types = query.instrument_types
        positions = broker.positions.history(caller.user_id, types, until, query.limit, query.offset)
    shown_now = [record(each) for each in positions if not broker.faults.hidden(each, broker.now())]
    return Reply("history-positions", {"limit": query.limit, "positions": shown_now})


def subscribe_positions(broker: Broker, caller: Caller, request: SubscribePositions) -> Reply:
    broker.watch.register(caller.user_id, request.ids, broker.now())
    return acknowledged()


def get_orders(broker: Broker, caller: Caller, query: OrdersQuery) -> Reply:
    """Those of one balance that wait, oldest first."""
    orders = broker.orders.live(caller.user_id, query.user_balance_id, query.kind)
    return Reply("orders", {"items": [order_record(order) for order in orders]})
