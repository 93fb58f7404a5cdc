"""Positions and orders as the wire shows them (quadcode-protocol §14, §15)."""

from decimal import Decimal

from services.paper_broker.margin_prices import Valuation
from services.paper_broker.options import gross, outcome
from services.paper_broker.orders import Order
from services.paper_broker.positions import Closing, InstrumentType, Position
from services.paper_broker.selling import Bid

_RAW_POSITION = {
    InstrumentType.BINARY: "binary_options_option_changed1",
    InstrumentType.TURBO: "binary_options_option_changed1",
    InstrumentType.BLITZ: "binary_options_option_changed1",
    InstrumentType.DIGITAL: "digital_options_position_changed1",
    InstrumentType.MARGIN_FOREX: "marginal_forex_position_changed1",
    InstrumentType.MARGIN_CFD: "marginal_cfd_position_changed1",
    InstrumentType.MARGIN_CRYPTO: "marginal_crypto_position_changed1",
}
_RAW_ORDER = {
    InstrumentType.DIGITAL: "digital_options_order_changed1",
    InstrumentType.MARGIN_FOREX: "marginal_forex_order_changed1",
    InstrumentType.MARGIN_CFD: "marginal_cfd_order_changed1",
    InstrumentType.MARGIN_CRYPTO: "marginal_crypto_order_changed1",
}
"""Keys of `raw_event` per instrument type: without its key a record makes clients throw (pitfall P2)."""
_SOURCES = {
    InstrumentType.BINARY: "binary-options",
    InstrumentType.TURBO: "binary-options",
    InstrumentType.BLITZ: "binary-options",
    InstrumentType.DIGITAL: "digital-options",
}
"""The service a position comes from; that of a margin position has its name."""
Record = dict[str, object]
"""A JSON object. Fields that do not apply are left out: a null would be read as 1970 or as a close reason."""


def record(position: Position) -> Record:
    """One position as lists, history and `position-changed` carry it."""
    shown: Record = {
        "id": position.id,
        "external_id": position.external_id,
        "user_id": position.user_id,
        "user_balance_id": position.balance_id,
        "active_id": position.active_id,
        "instrument_type": position.instrument_type,
        "source": _SOURCES.get(position.instrument_type, position.instrument_type),
        "status": "open",
        "version": position.version,
        "invest": position.invest,
        "open_quote": position.open_quote,
        "open_time": position.open_time,
        "quote_timestamp": position.quote_time,
        "expected_profit": position.expected_profit,
        "pnl": 0,
        "pnl_realized": 0,
        "raw_event": {_RAW_POSITION[position.instrument_type]: _raw(position)},
    }
    if position.closing is not None:
        shown |= _closed(position.closing, position.closing.profit - position.invest)
    return shown


def _raw(position: Position) -> Record:
    """Digital options name their direction and expiration in their own way, and the latter in milliseconds (§14.3)."""
    raw: Record = {"order_ids": [position.order_id]}
    match position.instrument_type:
        case InstrumentType.DIGITAL:
            raw |= {"instrument_dir": position.direction, "instrument_expiration": position.expiration * 1000}
        case InstrumentType.BINARY | InstrumentType.TURBO | InstrumentType.BLITZ:
            raw |= {"direction": position.direction, "expiration_time": position.expiration}
    return raw


def order_record(order: Order) -> Record:
    """One order as the list and `order-changed` carry it."""
    shown: Record = {
        "id": f"order-{order.id}",
        "instrument_type": order.instrument_type,
        "kind": order.kind,
        "status": order.status,
        "user_id": order.user_id,
        "user_balance_id": order.balance_id,
        "raw_event": {_RAW_ORDER[order.instrument_type]: {"id": order.id}},
    }
    if order.position_id is not None:
        shown["position_id"] = order.position_id
    return shown


def _closed(closing: Closing, pnl: Decimal) -> Record:
    return {
        "status": "closed",
        "close_quote": closing.quote,
        "close_time": closing.time,
        "close_profit": closing.profit,
        "close_reason": closing.reason,
        "pnl": pnl,
        "pnl_net": pnl,
        "pnl_realized": pnl,
    }


def valuation(position: Position, quote: float, bid: Bid | None, now: int) -> Record:
    """What an open option brings if it is sold, or, where it cannot be, if the price stays.

    `now` in epoch milliseconds.
    """
    worth = gross(position, outcome(position, quote)) if bid is None else bid.amount
    return {
        "id": position.id,
        "instrument_type": position.instrument_type,
        "current_price": quote,
        "quote_timestamp": now,
        "sell_profit": 0 if bid is None else bid.amount,
        "margin": 0,
        "pnl": worth - position.invest,
        "pnl_net": worth - position.invest,
        "open_price": position.open_quote,
        "expected_profit": position.expected_profit,
        "currency_conversion": 1,
    }


def margin_valuation(position: Position, valued: Valuation, now: int) -> Record:
    """What an open margin position brings if it is closed; `now` in epoch milliseconds."""
    return {
        "id": position.id,
        "instrument_type": position.instrument_type,
        "current_price": valued.price,
        "quote_timestamp": now,
        "sell_profit": position.invest + valued.pnl,
        "margin": position.invest,
        "pnl": valued.pnl,
        "pnl_net": valued.pnl,
        "open_price": position.open_quote,
        "expected_profit": position.expected_profit,
        "currency_conversion": valued.conversion,
    }
