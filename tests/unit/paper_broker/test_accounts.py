from decimal import Decimal

import pytest

from services.paper_broker.accounts import FIRST_USER, BalanceType, EmailTaken, Opening, Person
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


def test_a_user_can_have_one_balance_of_each_type_currency_and_margin_flag(world: World) -> None:
    accounts = world.broker.accounts
    margin = Opening(BalanceType.DEMO, "USD", Decimal(700), is_marginal=True)
    with world.storage.transaction():
        for opening in (margin, margin._replace(amount=Decimal(1)), margin._replace(currency="EUR")):
            accounts.open(USER, opening)
    added = accounts.balances(USER)[2:]
    assert [(each.currency, each.amount, each.is_marginal) for each in added] == [
        ("USD", Decimal(700), True),
        ("EUR", Decimal(700), True),
    ]


def test_who_signs_up_gets_a_number_nobody_has_and_the_usual_balances(world: World) -> None:
    ada, alan = Person("ada@sim.invalid", "Ada", "Trader"), Person("alan@sim.invalid", "Alan", "Trader")
    world.broker.accounts.ensure(2**40)
    first = world.broker.accounts.sign_up(ada, b"digest")
    second = world.broker.accounts.sign_up(alan, b"digest")
    assert (first, second) == (FIRST_USER, FIRST_USER + 1)
    assert world.broker.accounts.person(second) == alan
    assert [each.amount for each in world.broker.accounts.balances(first)] == [Decimal(0), Decimal(10000)]


def test_an_e_mail_address_belongs_to_one_user_however_it_is_written(world: World) -> None:
    accounts = world.broker.accounts
    user = accounts.sign_up(Person("ada@sim.invalid", "Ada", "Trader"), b"digest")
    with pytest.raises(EmailTaken, match=f"belongs to user {user} already"):
        accounts.sign_up(Person("ADA@sim.invalid", "Ada", "Other"), b"other digest")
    assert accounts.identified("Ada@Sim.invalid") == (user, b"digest")
    assert not accounts.exists(user + 1)


def test_a_watched_balance_stays_watched(world: World) -> None:
    assert not world.balance().watched
    world.broker.accounts.watch(world.balance())
    assert world.balance().watched
    assert not world.balance(BalanceType.REAL).watched
