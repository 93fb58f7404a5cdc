from decimal import Decimal

import pytest

from services.paper_broker.accounts import BalanceType
from services.paper_broker.ledger import InsufficientFunds, Reason
from tests.unit.paper_broker.world import OTHER_USER, USER, World


def test_a_new_user_has_an_empty_real_and_a_filled_demo_balance(world: World) -> None:
    balances = world.broker.accounts.balances(USER)
    assert [(each.type, each.amount, each.currency) for each in balances] == [
        (BalanceType.REAL, Decimal(0), "USD"),
        (BalanceType.DEMO, Decimal(10000), "USD"),
    ]


def test_what_a_new_user_finds_is_a_setting() -> None:
    world = World(paper_currency="BRL", paper_demo_balance=Decimal("12.50"), paper_real_balance=Decimal(7))
    balances = world.broker.accounts.balances(USER)
    assert [(each.amount, each.currency) for each in balances] == [(Decimal(7), "BRL"), (Decimal("12.5"), "BRL")]


def test_a_user_is_made_once(world: World) -> None:
    before = world.broker.accounts.balances(USER)
    world.broker.accounts.ensure(USER)
    assert world.broker.accounts.balances(USER) == before


def test_balance_ids_are_unique_among_users_and_found_only_by_their_owner(world: World) -> None:
    world.broker.accounts.ensure(OTHER_USER)
    ids = [each.id for user in (USER, OTHER_USER) for each in world.broker.accounts.balances(user)]
    assert len(set(ids)) == 4
    assert world.broker.accounts.balance(OTHER_USER, world.balance().id) is None
    assert world.broker.accounts.balance(USER, world.balance().id) == world.balance()


def test_a_reset_is_an_entry_of_the_difference(world: World) -> None:
    world.broker.accounts.reset(world.balance(), Decimal(500))
    assert world.balance().amount == Decimal(500)
    assert world.broker.ledger.total(world.balance().id) == Decimal(500)


def test_an_entry_moves_the_balance(world: World) -> None:
    with world.storage.transaction():
        world.broker.ledger.post(world.balance().id, Decimal("-0.01"), Reason.STAKE, 0)
    assert world.balance().amount == Decimal("9999.99")
    assert world.broker.ledger.total(world.balance().id) == Decimal("9999.99")


def test_a_balance_never_becomes_negative(world: World) -> None:
    with pytest.raises(InsufficientFunds), world.storage.transaction():
        world.broker.ledger.post(world.balance().id, Decimal("-10000.01"), Reason.STAKE, 0)
    assert world.balance().amount == Decimal(10000)
    assert world.broker.ledger.total(world.balance().id) == Decimal(10000)


def test_an_entry_for_no_balance_is_an_error(world: World) -> None:
    with pytest.raises(LookupError), world.storage.transaction():
        world.broker.ledger.post(999, Decimal(1), Reason.RESET, 0)
