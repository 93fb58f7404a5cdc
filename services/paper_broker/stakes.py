"""Whether a stake may be taken from a balance: rules that all options share."""

from decimal import Decimal

from services.paper_broker.accounts import Accounts, Balance
from services.paper_broker.catalogue import Active, Catalogue
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.money import whole_coins

INSUFFICIENT_FUNDS = "Insufficient funds for this transaction."
"""Clients recognise this text."""


def payer(accounts: Accounts, user_id: int, balance_id: int, stake: Decimal, field: str) -> Balance:
    """The balance, if it is the user's and may pay such a stake; `field` names the stake. Raises Refused."""
    balance = accounts.balance(user_id, balance_id)
    if balance is None:
        raise invalid("user_balance_id", "unknown balance")
    if balance.is_marginal:
        raise invalid("user_balance_id", "is for margin trading")
    currency = CURRENCIES[balance.currency]
    if not stake.is_finite():
        raise invalid(field, "must be a finite number")
    if not currency.min_deal_amount <= stake <= currency.max_deal_amount:
        bounds = f"{currency.min_deal_amount} and {currency.max_deal_amount} {currency.name}"
        raise Refused(Status.STAKE_OUT_OF_BOUNDS, f"The amount must be between {bounds}.")
    if not whole_coins(stake, currency.minor_units):
        raise invalid(field, f"must have at most {currency.minor_units} decimals")
    return balance


def on_sale(catalogue: Catalogue, active_id: int, now: int, field: str) -> Active:
    """The active, if it can be traded at that epoch second; `field` names it. Raises Refused."""
    active = catalogue.get(active_id)
    if active is None:
        raise invalid(field, "unknown active")
    if active.suspended:
        raise Refused(Status.MARKET_CLOSED, "Trading of this active is suspended.")
    if not active.tradable(now):
        raise Refused(Status.MARKET_CLOSED, "The market is closed.")
    return active
