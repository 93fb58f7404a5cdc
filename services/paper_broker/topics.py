"""Subscriptions: which events exist, under which name and version, filtered by what (quadcode-protocol §2.3)."""

from collections.abc import Callable
from typing import NamedTuple

from libs.contracts.market import CANDLE_SIZES
from services.paper_broker.catalogue import Catalogue
from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.exchange_rates import known
from services.paper_broker.hub import Topic
from services.paper_broker.positions import InstrumentType
from services.paper_broker.wire import Subscription

CANDLE = "candle-generated"
QUOTE = "quote-generated"
BALANCE = "balances.balance-changed"
MARGIN_BALANCE = "marginal-portfolio.balance-changed"
POSITION = "portfolio.position-changed"
POSITIONS_STATE = "portfolio.positions-state"
ORDER = "portfolio.order-changed"
DIGITAL_UNDERLYINGS = "digital-option-instruments.underlying-list-changed"
DIGITAL_INSTRUMENT = "digital-option-instruments.instrument-generated"
DIGITAL_PRICE = "trading-settings.digital-option-client-price-generated"
MARGIN_UNDERLYINGS = {
    kind: f"{kind}-instruments.underlying-list-changed"
    for kind in (InstrumentType.MARGIN_FOREX, InstrumentType.MARGIN_CFD, InstrumentType.MARGIN_CRYPTO)
}
EXCHANGE_RATE = "exchange-rates.exchange-rate-generated"
CHAT_MESSAGE = "chat-message-public-generated"

Filters = dict[str, int | str]
Resolve = Callable[[Filters, int, Catalogue], tuple[int | str, ...]]
"""The filter values of a topic; takes the filters, the user and the catalogue. Raises Refused."""


class _Event(NamedTuple):
    version: str
    resolve: Resolve


def topic(subscription: Subscription, user_id: int, catalogue: Catalogue) -> Topic:
    """Raises Refused when there is no such event or a filter is missing or wrong."""
    event = _EVENTS.get(subscription.name)
    if event is None or event.version != subscription.version:
        raise Refused(Status.UNKNOWN_MESSAGE, f"unknown event {subscription.name} {subscription.version}")
    return Topic(subscription.name, event.resolve(subscription.params.routing_filters, user_id, catalogue))


def _of_user(filters: Filters, user_id: int, _: Catalogue) -> tuple[int | str, ...]:
    """Scoped to the authenticated user, whether the subscription says so or not."""
    if filters.get("user_id", user_id) != user_id:
        raise Refused(Status.FORBIDDEN, "user_id is not that of this session")
    return (user_id,)


def _of_user_and_instrument(filters: Filters, user_id: int, catalogue: Catalogue) -> tuple[int | str, ...]:
    instrument_type = _required(filters, "instrument_type")
    if instrument_type not in tuple(InstrumentType):
        raise invalid("instrument_type", f"must be one of {', '.join(InstrumentType)}")
    return (*_of_user(filters, user_id, catalogue), instrument_type)


def _of_active(filters: Filters, _: int, catalogue: Catalogue) -> tuple[int | str, ...]:
    active_id = _required(filters, "active_id")
    if not isinstance(active_id, int) or catalogue.get(active_id) is None:
        raise invalid("active_id", "unknown active")
    return (active_id,)


def _of_feed(filters: Filters, user_id: int, catalogue: Catalogue) -> tuple[int | str, ...]:
    size = _required(filters, "size")
    if size not in CANDLE_SIZES:
        raise invalid("size", f"must be one of {', '.join(map(str, CANDLE_SIZES))}")
    return (*_of_active(filters, user_id, catalogue), size)


def _of_all(_: Filters, __: int, ___: Catalogue) -> tuple[int | str, ...]:
    return ()


def _of_asset(filters: Filters, _: int, catalogue: Catalogue) -> tuple[int | str, ...]:
    asset_id = _required(filters, "asset_id")
    if not isinstance(asset_id, int) or catalogue.get(asset_id) is None:
        raise invalid("asset_id", "unknown active")
    return (asset_id,)


def _of_instrument(filters: Filters, user_id: int, catalogue: Catalogue) -> tuple[int | str, ...]:
    number = _required(filters, "instrument_index")
    if not isinstance(number, int):
        raise invalid("instrument_index", "must be a number")
    if _required(filters, "instrument_type") != InstrumentType.DIGITAL:
        raise invalid("instrument_type", f"must be {InstrumentType.DIGITAL}")
    return (*_of_asset(filters, user_id, catalogue), number, InstrumentType.DIGITAL)


def _of_pair(filters: Filters, _: int, catalogue: Catalogue) -> tuple[int | str, ...]:
    return (_currency(filters, "base_currency", catalogue), _currency(filters, "quote_currency", catalogue))


def _currency(filters: Filters, name: str, catalogue: Catalogue) -> str:
    currency = str(_required(filters, name))
    if not known(catalogue, currency):
        raise invalid(name, "unknown currency")
    return currency


def _of_room(filters: Filters, _: int, __: Catalogue) -> tuple[int | str, ...]:
    return (_required(filters, "room_id"),)


def _required(filters: Filters, name: str) -> int | str:
    value = filters.get(name)
    if value is None:
        raise invalid(name, "is required")
    return value


_EVENTS = {
    CANDLE: _Event("1.0", _of_feed),
    QUOTE: _Event("2.0", _of_active),
    BALANCE: _Event("1.0", _of_user),
    MARGIN_BALANCE: _Event("1.0", _of_user),
    POSITION: _Event("3.0", _of_user),
    POSITIONS_STATE: _Event("1.0", _of_user),
    ORDER: _Event("2.0", _of_user_and_instrument),
    DIGITAL_UNDERLYINGS: _Event("3.0", _of_all),
    DIGITAL_INSTRUMENT: _Event("3.0", _of_asset),
    DIGITAL_PRICE: _Event("1.0", _of_instrument),
    **{name: _Event("1.0", _of_all) for name in MARGIN_UNDERLYINGS.values()},
    EXCHANGE_RATE: _Event("2.0", _of_pair),
    CHAT_MESSAGE: _Event("1.0", _of_room),
}
