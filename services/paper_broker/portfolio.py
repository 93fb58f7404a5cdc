"""Positions as the wire shows them (quadcode-protocol §14)."""

from decimal import Decimal

from services.paper_broker.market import Quote
from services.paper_broker.options import gross, outcome
from services.paper_broker.positions import Closing, Position

SOURCE = "binary-options"
RAW_EVENT = "binary_options_option_changed1"
"""The key that clients require for the binary family; a record without it throws in theirs (pitfall P2)."""
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
        "source": SOURCE,
        "status": "open",
        "version": position.version,
        "invest": position.invest,
        "open_quote": position.open_quote,
        "open_time": position.open_time,
        "quote_timestamp": position.quote_time,
        "expected_profit": position.expected_profit,
        "pnl": 0,
        "pnl_realized": 0,
        "raw_event": {
            RAW_EVENT: {
                "order_ids": [position.external_id],
                "direction": position.direction,
                "expiration_time": position.expiration,
            }
        },
    }
    if position.closing is not None:
        shown |= _closed(position.closing, position.closing.profit - position.invest)
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


def valuation(position: Position, quote: Quote, now: int) -> Record:
    """What an open position is worth if the price stays; `now` in epoch milliseconds."""
    pnl = gross(position, outcome(position, quote.value)) - position.invest
    return {
        "id": position.id,
        "instrument_type": position.instrument_type,
        "current_price": quote.value,
        "quote_timestamp": now,
        "sell_profit": 0,
        "margin": 0,
        "pnl": pnl,
        "pnl_net": pnl,
        "open_price": position.open_quote,
        "expected_profit": position.expected_profit,
        "currency_conversion": 1,
    }
