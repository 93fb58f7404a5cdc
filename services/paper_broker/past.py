"""Giving an account a past: closed positions, for clients that page through their history."""

from services.paper_broker.accounts import Accounts, Balance, BalanceType
from services.paper_broker.broker import Broker
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.epoch import MINUTE
from services.paper_broker.hours import Place
from services.paper_broker.ledger import Reason
from services.paper_broker.options import BLITZ, OpenOption
from services.paper_broker.positions import InstrumentType
from services.paper_broker.seed_file import BadSeed

_APART = 10 * MINUTE * 1000
"""Milliseconds between one position of the past and the next."""


def deepen(user_id: int, instrument_type: InstrumentType, count: int, broker: Broker) -> None:
    """At least `count` closed positions of that type, and every balance as it was; inside a transaction.

    Each is bought and settled at the prices of its time, on the demo balance if there is one. Raises BadSeed.
    """
    if instrument_type is not InstrumentType.BLITZ:
        raise BadSeed(f"closed_positions: {instrument_type} has no past here")
    missing = count - broker.positions.count_closed(user_id, instrument_type)
    if missing <= 0:
        return
    balance, now = _balance(broker.accounts, user_id), broker.now()
    order = _order(broker, balance)
    broker.ledger.post(balance.id, order.price * missing, Reason.HISTORY, now - missing * _APART)
    for number in range(missing, 0, -1):
        broker.options.book_past(balance, order, now - number * _APART)
    left = broker.accounts.balance(user_id, balance.id)
    if left is not None:
        broker.ledger.post(balance.id, balance.amount - left.amount, Reason.HISTORY, now)


def _balance(accounts: Accounts, user_id: int) -> Balance:
    options = [balance for balance in accounts.balances(user_id) if not balance.is_marginal]
    if not options:
        raise BadSeed(f"closed_positions: user {user_id} has no balance for them")
    return next((balance for balance in options if balance.type is BalanceType.DEMO), options[0])


def _order(broker: Broker, balance: Balance) -> OpenOption:
    always = (active for active in broker.catalogue if active.hours is Place.ALWAYS and not active.suspended)
    active = next(always, None)
    if active is None:
        raise BadSeed("closed_positions: need an active that can be traded at all times")
    return OpenOption(
        active_id=active.id,
        direction="call",
        option_type_id=BLITZ,
        price=CURRENCIES[balance.currency].min_deal_amount,
        user_balance_id=balance.id,
        expiration_size=MINUTE,
    )
