"""Requests that trade (quadcode-protocol §12.4, §12.5)."""

import msgspec

from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.faults import DelayReply, DropBeforeReply, SwallowReply, refuse
from services.paper_broker.options import OpenOption
from services.paper_broker.positions import Position
from services.paper_broker.wire import Id


class SellOptions(msgspec.Struct, frozen=True):
    options_ids: list[Id]


def open_option(broker: Broker, caller: Caller, order: OpenOption) -> Reply:
    """Booked when this returns; the events follow the booking, whatever a fault does to the reply."""
    fault = broker.faults.next(caller.user_id)
    refuse(fault)
    position = broker.options.buy(caller.user_id, order)
    broker.announcer.opened(position)
    if isinstance(fault, DropBeforeReply):
        broker.hub.drop(caller.user_id)
    return Reply(
        "option",
        _option(position),
        delay=fault.seconds if isinstance(fault, DelayReply) else 0.0,
        lost=isinstance(fault, SwallowReply | DropBeforeReply),
    )


def sell_options(broker: Broker, caller: Caller, request: SellOptions) -> Reply:
    """Refused: blitz options cannot be sold, and no others are on offer."""
    unknown = [option for option in request.options_ids if broker.positions.find(caller.user_id, option) is None]
    if unknown:
        return acknowledged(success=False, reason=f"unknown option {unknown[0]}")
    return acknowledged(success=False, reason="Blitz options cannot be sold before they expire.")


def _option(position: Position) -> dict[str, object]:
    return {
        "id": position.external_id,
        "act": position.active_id,
        "direction": position.direction,
        "exp": position.expiration,
        "price": position.invest,
        "profit_income": position.payout,
        "time_rate": position.open_time // 1000,
        "type": "blitz",
        "value": position.open_quote,
    }
