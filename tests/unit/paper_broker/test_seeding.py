import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.service import CannotStart
from services.paper_broker.accounts import BalanceType, Person
from services.paper_broker.passwords import matches
from services.paper_broker.positions import InstrumentType
from services.paper_broker.seed_file import BadSeed, load
from services.paper_broker.seeding import sow
from tests.unit.paper_broker.world import START, USER, Frame, World

ADA = {
    "id": 5150,
    "email": "ada@sim.invalid",
    "password": "correct horse",
    "first_name": "Ada",
    "last_name": "Trader",
    "access_token": "token-of-ada",
    "balances": [
        {"type": "real", "currency": "EUR", "amount": 50},
        {"type": "demo", "amount": 10000},
        {"type": "demo", "amount": 700, "is_marginal": True},
    ],
}
ALAN = {"id": 5151, "email": "alan@sim.invalid"}

Start = Callable[..., World]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start on the same database with these accounts; what ran before ends."""
    running: list[World] = []

    def start(*accounts: dict[str, Any], **more: Any) -> World:
        path = tmp_path / "accounts.json"
        path.write_text(json.dumps({"accounts": accounts, **more}))
        for world in running:
            world.storage.close()
        running.append(World(database=str(tmp_path / "broker.sqlite"), paper_accounts=path))
        return running[-1]

    return start


def test_an_account_has_the_names_and_balances_of_the_file(start: Start) -> None:
    accounts = start(ADA).broker.accounts
    assert accounts.person(5150) == Person("ada@sim.invalid", "Ada", "Trader")
    assert [(each.type, each.currency, each.amount, each.is_marginal) for each in accounts.balances(5150)] == [
        (BalanceType.REAL, "EUR", Decimal(50), False),
        (BalanceType.DEMO, "USD", Decimal(10000), False),
        (BalanceType.DEMO, "USD", Decimal(700), True),
    ]


def test_clients_are_told_which_balances_are_for_margin_trading(start: Start) -> None:
    client = start(ADA).stranger()
    client.ask("authenticate", {"ssid": "token-of-ada"})
    balances = client.call("balances.get-available-balances", "1.0", {"types_ids": [4]})["msg"]
    assert [balance["is_marginal"] for balance in balances] == [False, True]


def test_an_account_without_balances_has_those_of_a_new_user(start: Start) -> None:
    balances = start(ALAN).broker.accounts.balances(5151)
    assert [(each.type, each.amount) for each in balances] == [
        (BalanceType.REAL, Decimal(0)),
        (BalanceType.DEMO, Decimal(10000)),
    ]


def test_its_access_token_is_good_for_ever_and_stored_as_a_digest(start: Start, tmp_path: Path) -> None:
    world = start(ADA)
    world.clock.advance(10 * 365 * 86_400)
    assert world.stranger().ask("authenticate", {"ssid": "token-of-ada"})["msg"] is True
    world.storage.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("broker.sqlite*"))
    assert b"ada@sim.invalid" in stored
    assert b"token-of-ada" not in stored
    assert b"correct horse" not in stored


def test_a_restart_keeps_the_money(start: Start) -> None:
    world = start(ADA)
    for balance in world.broker.accounts.balances(USER):
        world.broker.accounts.reset(balance, Decimal(1))
    again = start(ADA).broker
    assert [balance.amount for balance in again.accounts.balances(USER)] == [Decimal(1)] * 3
    assert [again.ledger.total(balance.id) for balance in again.accounts.balances(USER)] == [Decimal(1)] * 3


def test_a_restart_follows_the_file_in_names_passwords_and_tokens(start: Start) -> None:
    start(ADA, ALAN | {"access_token": "token-of-alan"})
    changed = ADA | {"email": "alan@sim.invalid", "password": "other", "access_token": "another-token"}
    broker = start(changed, ALAN | {"email": "ada@sim.invalid"}).broker
    user, digest = broker.accounts.identified("alan@sim.invalid") or (0, None)
    assert user == 5150
    assert matches("other", digest)
    assert broker.accounts.identified("ada@sim.invalid") == (5151, None)
    assert broker.sessions.find("another-token") is not None
    assert broker.sessions.find("token-of-ada") is None
    assert broker.sessions.find("token-of-alan") is None


def history(world: World, limit: int = 30, offset: int = 0, instrument_type: str = "blitz-option") -> list[Frame]:
    """A page of Ada's."""
    body = {"instrument_types": [instrument_type], "limit": limit, "offset": offset}
    client = world.stranger()
    assert client.ask("authenticate", {"ssid": "token-of-ada"})["msg"] is True
    positions: list[Frame] = client.call("portfolio.get-history-positions", "2.0", body)["msg"]["positions"]
    return positions


def test_closed_positions_are_a_history_to_page_through(start: Start) -> None:
    world = start(ADA | {"closed_positions": {"blitz-option": 45}})
    first, second, third = history(world), history(world, offset=30), history(world, offset=60)
    assert (len(first), len(second), len(third)) == (30, 15, 0)
    closed = [position["close_time"] for position in first + second]
    assert closed == sorted(closed, reverse=True)
    assert closed[0] < START.timestamp() * 1000
    assert {position["close_reason"] for position in first + second} >= {"win", "loose"}
    assert world.broker.positions.open(USER) == []


def test_closed_positions_leave_the_money_as_it_was(start: Start) -> None:
    world = start(ADA | {"closed_positions": {"blitz-option": 45}})
    for balance, amount in zip(world.broker.accounts.balances(USER), (50, 10000, 700), strict=True):
        assert balance.amount == world.broker.ledger.total(balance.id) == Decimal(amount)


@pytest.mark.parametrize("instrument_type", ["binary-option", "turbo-option", "digital-option"])
def test_closed_positions_may_be_of_any_kind_of_option(start: Start, instrument_type: str) -> None:
    world = start(ADA | {"closed_positions": {instrument_type: 5, "blitz-option": 3}})
    past = history(world, instrument_type=instrument_type)
    assert len(past) == 5
    assert all(position["close_time"] < START.timestamp() * 1000 for position in past)
    for balance, amount in zip(world.broker.accounts.balances(USER), (50, 10000, 700), strict=True):
        assert balance.amount == world.broker.ledger.total(balance.id) == Decimal(amount)


@pytest.mark.parametrize("instrument_type", ["marginal-forex", "marginal-cfd", "marginal-crypto"])
def test_closed_positions_may_be_of_any_kind_of_margin_trading(start: Start, instrument_type: str) -> None:
    world = start(ADA | {"closed_positions": {instrument_type: 5}})
    past = history(world, instrument_type=instrument_type)
    assert len(past) == 5
    assert {position["close_reason"] for position in past} == {"default"}
    assert all(position["close_time"] == position["open_time"] + 600_000 for position in past)
    assert any(position["pnl"] for position in past)
    margin = world.broker.accounts.balances(USER)[-1]
    assert {position["user_balance_id"] for position in past} == {margin.id}
    assert margin.amount == world.broker.ledger.total(margin.id) == Decimal(700)
    assert not world.broker.margin.book


def test_closed_positions_need_no_money(start: Start) -> None:
    empty = {"balances": [{"type": "real", "currency": "BRL"}], "closed_positions": {"blitz-option": 3}}
    world = start(ADA | empty)
    (balance,) = world.broker.accounts.balances(USER)
    assert (balance.amount, world.broker.ledger.total(balance.id)) == (Decimal(0), Decimal(0))
    assert [position["invest"] for position in history(world)] == [5, 5, 5]


def test_closed_positions_are_made_once(start: Start) -> None:
    seeded = ADA | {"closed_positions": {"blitz-option": 5}}
    ids = [position["id"] for position in history(start(seeded))]
    assert [position["id"] for position in history(start(seeded))] == ids
    more = history(start(ADA | {"closed_positions": {"blitz-option": 7}}))
    assert len(more) == 7
    assert {position["id"] for position in more} > set(ids)


def test_a_past_that_cannot_be_made_is_refused_by_name_and_nothing_is_kept(start: Start, tmp_path: Path) -> None:
    world = start()
    closed = {"closed_positions": {"blitz-option": 3, "marginal-cfd": 1}}
    (tmp_path / "bad.json").write_text(json.dumps({"accounts": [ADA, ALAN | closed]}))
    with pytest.raises(BadSeed, match=r"accounts\[1\]\.closed_positions: no balance .* is for margin trading"):
        sow(load(tmp_path / "bad.json"), world.storage, world.broker)
    assert not world.broker.accounts.exists(5151)
    assert world.broker.accounts.identified("ada@sim.invalid") is None


def test_a_balance_that_is_new_in_the_file_is_added(start: Start) -> None:
    start(ALAN)
    more = {"balances": [{"type": "demo", "amount": 1}, {"type": "demo", "currency": "BRL", "amount": 9}]}
    balances = start(ALAN | more).broker.accounts.balances(5151)
    assert [(each.currency, int(each.amount)) for each in balances] == [("USD", 0), ("USD", 10000), ("BRL", 9)]


def test_an_address_of_somebody_else_is_refused_by_name(start: Start) -> None:
    user = start().broker.accounts.sign_up(Person("ada@sim.invalid", "Ada", "First"), b"digest")
    with pytest.raises(CannotStart, match=rf"PREGAO_PAPER_ACCOUNTS: .*accounts\[1\]\.email: belongs to user {user}"):
        start(ALAN, ADA)


def test_translations_are_added_to_those_of_the_actives(start: Start) -> None:
    translations = start(translations={"pt": {"front.EURUSD-OTC": "Euro", "desktop.hello": "Olá"}}).broker.translations
    texts = translations.texts("pt", ["front", "desktop"])
    assert (texts["front.EURUSD-OTC"], texts["desktop.EURUSD-OTC"]) == ("Euro", "EUR/USD OTC")
    assert texts["desktop.hello"] == "Olá"
    assert translations.texts("en", ["front"])["front.EURUSD-OTC"] == "EUR/USD OTC"
    assert translations.texts("en", ["front"])["front.chat-support"] == "Support"
    assert "desktop.hello" not in translations.texts("pt", ["front"])


KINDS = list(InstrumentType)
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=2)
BALANCES = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["real", "demo"]),
            "currency": st.sampled_from(["USD", "BRL"]),
            "amount": AMOUNTS.map(str),
            "is_marginal": st.booleans(),
        }
    ),
    unique_by=lambda balance: (balance["type"], balance["currency"], balance["is_marginal"]),
)


@settings(max_examples=30, deadline=None)
@given(balances=BALANCES, closed=st.dictionaries(st.sampled_from(KINDS), st.integers(0, 8)))
def test_whatever_the_file_says_a_balance_is_the_sum_of_its_ledger(
    balances: list[Frame], closed: dict[InstrumentType, int]
) -> None:
    more = [{"type": "demo", "currency": "EUR", "amount": "3", "is_marginal": each} for each in (False, True)]
    balances = [*balances, *more]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "accounts.json"
        account = ALAN | {"balances": balances, "closed_positions": closed}
        path.write_text(json.dumps({"accounts": [account]}))
        for _ in range(2):
            world = World(database=str(path.with_name("broker.sqlite")), paper_accounts=path)
            kept = world.broker.accounts.balances(5151)
            assert [world.broker.ledger.total(each.id) for each in kept] == [each.amount for each in kept]
            assert {kind: world.broker.positions.count_closed(5151, kind) for kind in closed} == closed
            assert world.broker.positions.open(5151) == []
            world.storage.close()
            assert [each.amount for each in kept] == [Decimal(each["amount"]) for each in balances]
