"""Giving an account a past: closed positions, for clients that page through their history."""

from decimal import Decimal

from services.paper_broker.accounts import Accounts, Balance, BalanceType
from services.paper_broker.broker import Broker
from services.paper_broker.catalogue import Active, Catalogue
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.epoch import MINUTE
from services.paper_broker.hours import Place
from services.paper_broker.ledger import Reason
from services.paper_broker.margin_instruments import MARGIN_KINDS, instrument_id, kind_of, step
from services.paper_broker.margin_terms import PlaceOrder
from services.paper_broker.option_kinds import BLITZ, OPTION_KINDS, OptionKind, expirations
from services.paper_broker.options import OpenOption
from services.paper_broker.positions import CloseReason, InstrumentType
from services.paper_broker.seed_file import BadSeed

_APART = 20 * MINUTE * 1000
"""Milliseconds between one position of the past and the next: more than any of them lasts."""

_STEPS = 100
"""Of a margin position: enough for its profit to be more than a cent."""


def deepen(user_id: int, instrument_type: InstrumentType, count: int, broker: Broker) -> None:
    """At least `count` closed positions of that type, and every balance as it was; inside a transaction.

    Each is bought and settled at the prices of its time, on the demo balance if there is one. Raises BadSeed.
    """
    missing = count - broker.positions.count_closed(user_id, instrument_type)
    if missing <= 0:
        return
    balance, now = _balance(broker.accounts, user_id, instrument_type), broker.now()
    active, stake = _active(broker.catalogue, instrument_type), CURRENCIES[balance.currency].min_deal_amount
    broker.ledger.post(balance.id, stake * missing, Reason.HISTORY, now - missing * _APART)
    for number in range(missing, 0, -1):
        _book(broker, instrument_type, active, balance, stake, now - number * _APART)
    left = broker.accounts.balance(user_id, balance.id)
    if left is not None:
        broker.ledger.post(balance.id, balance.amount - left.amount, Reason.HISTORY, now)


def _balance(accounts: Accounts, user_id: int, instrument_type: InstrumentType) -> Balance:
    on_margin = instrument_type in MARGIN_KINDS
    balances = [balance for balance in accounts.balances(user_id) if balance.is_marginal is on_margin]
    if not balances:
        raise BadSeed(f"no balance of the account is for {'margin trading' if on_margin else 'options'}")
    return next((balance for balance in balances if balance.type is BalanceType.DEMO), balances[0])


def _active(catalogue: Catalogue, instrument_type: InstrumentType) -> Active:
    always = (active for active in catalogue if active.hours is Place.ALWAYS and not active.suspended)
    kind = MARGIN_KINDS.get(instrument_type)
    active = next((active for active in always if kind in (None, kind_of(active))), None)
    if active is None:
        raise BadSeed(f"no active of {instrument_type} can be traded at all times")
    return active


def _book(
    broker: Broker, instrument_type: InstrumentType, active: Active, balance: Balance, stake: Decimal, at: int
) -> None:
    """One that was bought at `at` (epoch milliseconds)."""
    if instrument_type is InstrumentType.DIGITAL:
        broker.options.settled(broker.digital.book_past(balance, active, stake, at))
        return
    if instrument_type in MARGIN_KINDS:
        _book_margin(broker, active, balance, at)
        return
    kind = next(kind for kind in OPTION_KINDS.values() if kind.instrument_type is instrument_type)
    order = OpenOption(
        active_id=active.id,
        direction="call",
        option_type_id=kind.type_id,
        price=stake,
        user_balance_id=balance.id,
        expired=0 if kind is BLITZ else _first_expiration(kind, at),
        expiration_size=MINUTE if kind is BLITZ else None,
    )
    broker.options.book_past(balance, order, at)


def _book_margin(broker: Broker, active: Active, balance: Balance, at: int) -> None:
    """Held for half the time until the next one."""
    kind = kind_of(active)
    order = PlaceOrder(
        side="buy",
        user_balance_id=balance.id,
        count=step(active) * kind.lot * _STEPS,
        instrument_id=instrument_id(active),
        instrument_active_id=active.id,
        leverage=Decimal(kind.default_leverage),
    )
    position = broker.margin.orders.book_past(balance, active, order, at)
    broker.margin.positions.settled(position, CloseReason.DEFAULT, at + _APART // 2)


def _first_expiration(kind: OptionKind, at: int) -> int:
    offered = expirations(kind, Place.ALWAYS, at // 1000)
    return next(each for each in offered if (each - kind.deadtime) * 1000 > at)
