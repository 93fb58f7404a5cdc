import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.paper_broker import seed_file
from services.paper_broker.accounts import BalanceType, Opening, Person
from services.paper_broker.seed_file import BadSeed, load

README = Path(seed_file.__file__).with_name("README.md")
ADA = {"id": 5150, "email": "ada@sim.invalid"}


def written(directory: Path, *accounts: dict[str, Any], **more: Any) -> Path:
    path = directory / "accounts.json"
    path.write_text(json.dumps({"accounts": accounts, **more}))
    return path


def test_an_account_is_an_id_and_an_address_and_the_rest_if_wanted(tmp_path: Path) -> None:
    (account,) = load(written(tmp_path, ADA)).accounts
    assert account.person == Person("ada@sim.invalid", "Paper", "Trader")
    assert (account.password, account.access_token, account.balances) == (None, None, ())


def test_a_balance_has_a_type_a_currency_an_amount_and_a_margin_flag(tmp_path: Path) -> None:
    balances = [{"type": "real", "currency": "BRL", "amount": 12.5}, {"type": "demo", "is_marginal": True}]
    (account,) = load(written(tmp_path, ADA | {"balances": balances})).accounts
    assert [balance.opening for balance in account.balances] == [
        Opening(BalanceType.REAL, "BRL", Decimal("12.5")),
        Opening(BalanceType.DEMO, "USD", Decimal(0), is_marginal=True),
    ]


def test_the_example_of_the_readme_is_such_a_file(tmp_path: Path) -> None:
    example = README.read_text().split("```json\n")[1].split("```")[0]
    (tmp_path / "accounts.json").write_text(example)
    (account,) = load(tmp_path / "accounts.json").accounts
    assert set(json.loads(example)["accounts"][0]) == {*account.__struct_fields__}


DEMO = {"type": "demo"}


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        ({"id": "x"}, r"accounts\[1\]\.id: Expected `int`"),
        ({"id": 0}, r"accounts\[1\]\.id: "),
        ({"email": "nobody"}, r"accounts\[1\]\.email: "),
        ({"passwort": "x"}, r"accounts\[1\]: .*unknown field `passwort`"),
        ({"password": ""}, r"accounts\[1\]\.password: "),
        ({"id": 5150}, r"accounts\[1\]\.id: is the same as accounts\[0\]\.id"),
        ({"email": "ADA@sim.invalid"}, r"accounts\[1\]\.email: is the same as accounts\[0\]\.email"),
        ({"access_token": "taken"}, r"accounts\[1\]\.access_token: is the same as accounts\[0\]\.access_token"),
        ({"balances": [{"type": "bonus"}]}, r"accounts\[1\]\.balances\[0\]\.type: "),
        ({"balances": [DEMO | {"currency": "XXX"}]}, r"accounts\[1\]\.balances\[0\]\.currency: must be one of USD"),
        ({"balances": [DEMO | {"amount": -1}]}, r"accounts\[1\]\.balances\[0\]\.amount: "),
        ({"balances": [DEMO | {"amount": "NaN"}]}, r"accounts\[1\]\.balances\[0\]\.amount: must be between 0"),
        ({"balances": [DEMO | {"amount": 0.001}]}, r"accounts\[1\]\.balances\[0\]\.amount: must have at most 2"),
        ({"closed_positions": {"bets": 1}}, r"accounts\[1\]\.closed_positions.*Invalid enum value 'bets'"),
        ({"closed_positions": {"blitz-option": -1}}, r"accounts\[1\]\.closed_positions"),
        (
            {"closed_positions": {"blitz-option": 1}, "balances": [DEMO | {"is_marginal": True}]},
            r"accounts\[1\]\.closed_positions: blitz-option needs a balance that is not marginal",
        ),
        (
            {"closed_positions": {"marginal-cfd": 1}, "balances": [DEMO]},
            r"accounts\[1\]\.closed_positions: marginal-cfd needs a balance that is marginal",
        ),
        ({"balances": [DEMO, DEMO]}, r"accounts\[1\]\.balances\[1\]: is the same as accounts\[1\]\.balances\[0\]"),
    ],
)
def test_an_error_names_the_entry_and_the_field(tmp_path: Path, account: dict[str, Any], problem: str) -> None:
    first, second = ADA | {"access_token": "taken"}, {"id": 5151, "email": "alan@sim.invalid"} | account
    with pytest.raises(BadSeed, match=problem):
        load(written(tmp_path, first, second))


@pytest.mark.parametrize("text", ["", "[]", "{'accounts': []}", '{"accounts": 1}', '{"users": []}'])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "accounts.json").write_text(text)
    with pytest.raises(BadSeed):
        load(tmp_path / "accounts.json")
    with pytest.raises(BadSeed, match="No such file"):
        load(tmp_path / "missing.json")
