"""The table of requests: which function answers which name and version (quadcode-protocol §2.2)."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from services.paper_broker import (
    account_requests,
    digital_requests,
    margin_requests,
    market_requests,
    option_requests,
    portfolio_requests,
)
from services.paper_broker.broker import Broker, Caller, Reply
from services.paper_broker.candles import CandleQuery
from services.paper_broker.digital import PlaceDigitalOption
from services.paper_broker.errors import Refused, Status
from services.paper_broker.margin_instruments import MARGIN_KINDS, MarginKind
from services.paper_broker.margin_terms import PlaceOrder
from services.paper_broker.options import OpenOption
from services.paper_broker.wire import Call, Nothing, decode

Body = TypeVar("Body")
Handler = Callable[[Broker, Caller, msgspec.Raw], Reply]


def _handler(body_type: type[Body], function: Callable[[Broker, Caller, Body], Reply]) -> Handler:
    def handle(broker: Broker, caller: Caller, body: msgspec.Raw) -> Reply:
        return function(broker, caller, decode(body, body_type))

    return handle


def _margin_handlers(kind: MarginKind) -> dict[tuple[str, str], Handler]:
    service = margin_requests.MarginService(kind)
    return {
        (f"{kind.instrument_type}-instruments.get-underlying-list", "1.0"): _handler(Nothing, service.get_underlyings),
        (f"{kind.instrument_type}-instruments.get-instruments-list", "1.0"): _handler(
            margin_requests.InstrumentsQuery, service.get_instruments
        ),
        (f"{kind.instrument_type}.place-market-order", "1.0"): _handler(PlaceOrder, service.place_market_order),
        (f"{kind.instrument_type}.place-stop-order", "1.0"): _handler(PlaceOrder, service.place_stop_order),
        (f"{kind.instrument_type}.place-limit-order", "1.0"): _handler(PlaceOrder, service.place_limit_order),
        (f"{kind.instrument_type}.close-position", "1.0"): _handler(
            margin_requests.ClosePosition, service.close_position
        ),
        (f"{kind.instrument_type}.cancel-pending-order", "1.0"): _handler(
            margin_requests.CancelOrder, service.cancel_pending_order
        ),
    }


HANDLERS: dict[tuple[str, str], Handler] = {
    ("features.get-features", "2.0"): _handler(account_requests.FeaturesQuery, account_requests.features),
    ("core.get-profile", "1.0"): _handler(Nothing, account_requests.profile),
    ("balances.get-available-balances", "1.0"): _handler(account_requests.BalancesQuery, account_requests.balances),
    ("marginal-portfolio.subscribe-balance-changed", "1.0"): _handler(
        account_requests.OfBalance, account_requests.subscribe_margin_balance
    ),
    ("marginal-portfolio.get-marginal-balance", "1.0"): _handler(
        account_requests.OfBalance, account_requests.marginal_balance
    ),
    ("internal-billing.reset-training-balance", "4.0"): _handler(
        account_requests.ResetBalance, account_requests.reset_demo_balance
    ),
    ("get-currency", "5.0"): _handler(account_requests.CurrencyQuery, account_requests.currency),
    ("request-chat-room", "1.0"): _handler(Nothing, account_requests.chat_rooms),
    ("get-active", "5.0"): _handler(market_requests.ActiveQuery, market_requests.get_active),
    ("get-first-candles", "1.0"): _handler(market_requests.FirstCandlesQuery, market_requests.get_first_candles),
    ("quotes-history.get-candles", "2.0"): _handler(CandleQuery, market_requests.get_candles),
    ("binary-options.get-initialization-data", "3.0"): _handler(Nothing, market_requests.initialization_data),
    ("binary-options.open-option", "2.0"): _handler(OpenOption, option_requests.open_option),
    ("binary-options.sell-options", "3.0"): _handler(option_requests.SellOptions, option_requests.sell_options),
    ("digital-option-instruments.get-underlying-list", "3.0"): _handler(
        digital_requests.UnderlyingsQuery, digital_requests.get_underlyings
    ),
    ("digital-option-instruments.get-instruments", "3.0"): _handler(
        digital_requests.InstrumentsQuery, digital_requests.get_instruments
    ),
    ("digital-options.place-digital-option", "3.0"): _handler(PlaceDigitalOption, digital_requests.place),
    ("digital-options.close-position", "1.0"): _handler(
        digital_requests.ClosePosition, digital_requests.close_position
    ),
    ("portfolio.get-positions", "4.0"): _handler(portfolio_requests.PositionsQuery, portfolio_requests.get_positions),
    ("portfolio.get-history-positions", "2.0"): _handler(
        portfolio_requests.HistoryQuery, portfolio_requests.get_history_positions
    ),
    ("portfolio.subscribe-positions", "1.0"): _handler(
        portfolio_requests.SubscribePositions, portfolio_requests.subscribe_positions
    ),
    ("portfolio.get-orders", "2.0"): _handler(portfolio_requests.OrdersQuery, portfolio_requests.get_orders),
}
for _kind in MARGIN_KINDS.values():
    HANDLERS |= _margin_handlers(_kind)


def answer(broker: Broker, caller: Caller, call: Call) -> Reply:
    """Raises Refused."""
    handler = HANDLERS.get((call.name, call.version))
    if handler is None:
        raise Refused(Status.UNKNOWN_MESSAGE, f"unknown message {call.name} {call.version}")
    return handler(broker, caller, call.body)
