"""Requests about the user: features, profile, balances, currencies, chats (quadcode-protocol §6 to §9, §17)."""

from decimal import Decimal

import msgspec

from services.paper_broker.accounts import Balance, BalanceType
from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.money import whole_coins
from services.paper_broker.wire import Id, Nothing

MAX_RESET = Decimal(1_000_000)


class FeaturesQuery(msgspec.Struct, frozen=True):
    category: str = ""


class BalancesQuery(msgspec.Struct, frozen=True):
    types_ids: frozenset[int] = frozenset(BalanceType)


class OfBalance(msgspec.Struct, frozen=True):
    user_balance_id: Id


class ResetBalance(msgspec.Struct, frozen=True):
    user_balance_id: Id
    amount: Decimal


class CurrencyQuery(msgspec.Struct, frozen=True):
    name: str


def features(broker: Broker, _: Caller, query: FeaturesQuery) -> Reply:
    return Reply("features", {"features": broker.features.listed(query.category)})


def profile(broker: Broker, caller: Caller, __: Nothing) -> Reply:
    result = {"user_id": caller.user_id, **broker.accounts.person(caller.user_id)._asdict()}
    return Reply("profile", {"isSuccessful": True, "result": result})


def balances(broker: Broker, caller: Caller, query: BalancesQuery) -> Reply:
    owned = broker.accounts.balances(caller.user_id)
    return Reply("available-balances", [_shown(balance) for balance in owned if balance.type in query.types_ids])


def subscribe_margin_balance(broker: Broker, caller: Caller, query: OfBalance) -> Reply:
    """Accepted for every balance, margin or not; only a margin balance has something to tell."""
    broker.accounts.watch(_owned(broker, caller, query.user_balance_id))
    return acknowledged()


def marginal_balance(broker: Broker, caller: Caller, query: OfBalance) -> Reply:
    balance = _owned(broker, caller, query.user_balance_id)
    if not balance.is_marginal:
        raise invalid("user_balance_id", "is no margin balance")
    return Reply("marginal-balance", broker.margin.balances.record(balance))


def reset_demo_balance(broker: Broker, caller: Caller, request: ResetBalance) -> Reply:
    balance = _owned(broker, caller, request.user_balance_id)
    if balance.type is not BalanceType.DEMO:
        raise Refused(Status.FORBIDDEN, "Only a demo balance can be reset.")
    minor_units = CURRENCIES[balance.currency].minor_units
    possible = request.amount.is_finite() and 0 <= request.amount <= MAX_RESET
    if not possible or not whole_coins(request.amount, minor_units):
        raise invalid("amount", f"must be between 0 and {MAX_RESET}, with at most {minor_units} decimals")
    broker.accounts.reset(balance, request.amount)
    broker.announcer.changed(balance)
    return acknowledged()


def currency(_: Broker, __: Caller, query: CurrencyQuery) -> Reply:
    found = CURRENCIES.get(query.name)
    if found is None:
        raise Refused(Status.NOT_FOUND, f"unknown currency {query.name}")
    return Reply("currency", found)


def chat_rooms(broker: Broker, _: Caller, __: Nothing) -> Reply:
    return Reply("chat-room", {"isSuccessful": True, "data": broker.chats.rooms()})


def _owned(broker: Broker, caller: Caller, balance_id: int) -> Balance:
    balance = broker.accounts.balance(caller.user_id, balance_id)
    if balance is None:
        raise invalid("user_balance_id", "unknown balance")
    return balance


def _shown(balance: Balance) -> dict[str, object]:
    return {
        "id": balance.id,
        "type": balance.type,
        "amount": balance.amount,
        "bonus_amount": 0,
        "currency": balance.currency,
        "user_id": balance.user_id,
        "is_marginal": balance.is_marginal,
    }
