"""Requests that trade (quadcode-protocol §12.4, §12.5)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.option_kinds import OPTION_KINDS
from services.paper_broker.options import OpenOption
from services.paper_broker.positions import Position
from services.paper_broker.selling import BINARY_FAMILY, CannotSell
from services.paper_broker.wire import Id


class SellOptions(msgspec.Struct, frozen=True):
    options_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]


def open_option(broker: Broker, caller: Caller, order: OpenOption) -> Reply:
    """Booked when this returns; the events follow the booking."""
    position = broker.options.buy(caller.user_id, order)
    broker.announcer.opened(position)
    return Reply("option", _option(position, OPTION_KINDS[order.option_type_id].name))


def sell_options(broker: Broker, caller: Caller, request: SellOptions) -> Reply:
    """All of them or none."""
    try:
        sold = broker.selling.sell(caller.user_id, request.options_ids, BINARY_FAMILY)
    except CannotSell as refusal:
        return acknowledged(success=False, reason=str(refusal))
    for position in sold:
        broker.announcer.sold(position)
    return acknowledged()


def _option(position: Position, kind: str) -> dict[str, object]:
    return {
        "id": position.external_id,
        "act": position.active_id,
        "direction": position.direction,
        "exp": position.expiration,
        "price": position.invest,
        "profit_income": position.payout,
        "time_rate": position.open_time // 1000,
        "type": kind,
        "value": position.open_quote,
    }
