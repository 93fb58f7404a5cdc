"""The file of accounts (`PREGAO_PAPER_ACCOUNTS`): who exists from the start, and how they log in."""

from collections.abc import Callable, Hashable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.paper_broker.accounts import EMAIL, BalanceType, Opening, Person
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.margin_instruments import MARGIN_KINDS
from services.paper_broker.money import whole_coins
from services.paper_broker.oauth import Client
from services.paper_broker.positions import InstrumentType
from services.paper_broker.wire import located

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Secret = Annotated[str, Meta(min_length=1, max_length=1000)]
UserId = Annotated[int, Meta(gt=0, lt=10**18)]
MAX_AMOUNT = Decimal(10**9)
MAX_CLOSED = 10_000
_TYPES = {"real": BalanceType.REAL, "demo": BalanceType.DEMO}


class BadSeed(Exception):
    """The file cannot be used; the text names the entry and the field."""


class SeedBalance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Literal["real", "demo"]
    currency: str = "USD"
    amount: Decimal = Decimal(0)
    """Major units; of a balance that is not there yet."""
    is_marginal: bool = False

    @property
    def opening(self) -> Opening:
        return Opening(_TYPES[self.type], self.currency, self.amount, self.is_marginal)


class SeedAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UserId
    email: Annotated[str, Meta(pattern=EMAIL, max_length=200)]
    password: Secret | None = None
    """Without one there is no log-in by password."""
    first_name: Text = "Paper"
    last_name: Text = "Trader"
    access_token: Secret | None = None
    refresh_token: Secret | None = None
    balances: tuple[SeedBalance, ...] = ()
    """None: those of any new user."""
    closed_positions: dict[InstrumentType, Annotated[int, Meta(ge=0, le=MAX_CLOSED)]] = {}
    """At least so many are in the account's history."""

    @property
    def person(self) -> Person:
        return Person(self.email, self.first_name, self.last_name)


class SeedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    accounts: tuple[SeedAccount, ...] = ()
    clients: tuple[Client, ...] = ()
    """Applications; none: every client id is accepted."""
    translations: dict[str, dict[str, str]] = {}
    """By language and key, e.g. `{"en": {"front.greeting": "Hello"}}`."""


def load(path: Path | None) -> SeedFile:
    """Without a path an empty one: then what an earlier file named holds no more. Raises BadSeed."""
    if path is None:
        return SeedFile()
    try:
        seed = msgspec.json.decode(path.read_bytes(), type=SeedFile)
    except msgspec.ValidationError as error:
        field, what = located(error)
        raise BadSeed(f"{field or 'file'}: {what}") from error
    except (OSError, msgspec.DecodeError) as error:
        raise BadSeed(str(error)) from error
    problem = next(_problems(seed), None)
    if problem is not None:
        raise BadSeed(problem)
    return seed


def _problems(seed: SeedFile) -> Iterator[str]:
    for field, value in _UNIQUE.items():
        yield from _repeated([value(account) for account in seed.accounts], "accounts", f".{field}")
    yield from _repeated([client.id for client in seed.clients], "clients", ".id")
    for number, account in enumerate(seed.accounts):
        yield from _of_balances(account.balances, f"accounts[{number}].balances")
        for instrument_type in account.closed_positions:
            on_margin = instrument_type in MARGIN_KINDS
            if account.balances and all(each.is_marginal is not on_margin for each in account.balances):
                wanted = "is" if on_margin else "is not"
                yield f"accounts[{number}].closed_positions: {instrument_type} needs a balance that {wanted} marginal"


def _of_balances(balances: tuple[SeedBalance, ...], path: str) -> Iterator[str]:
    yield from _repeated([(each.type, each.currency, each.is_marginal) for each in balances], path, "")
    for number, balance in enumerate(balances):
        currency = CURRENCIES.get(balance.currency)
        if currency is None:
            yield f"{path}[{number}].currency: must be one of {', '.join(CURRENCIES)}"
        elif not (balance.amount.is_finite() and 0 <= balance.amount <= MAX_AMOUNT):
            yield f"{path}[{number}].amount: must be between 0 and {MAX_AMOUNT}"
        elif not whole_coins(balance.amount, currency.minor_units):
            yield f"{path}[{number}].amount: must have at most {currency.minor_units} decimals"


def _repeated(values: list[Hashable], path: str, field: str) -> Iterator[str]:
    first: dict[Hashable, int] = {}
    for number, value in enumerate(values):
        if value is not None and first.setdefault(value, number) != number:
            yield f"{path}[{number}]{field}: is the same as {path}[{first[value]}]{field}"


_UNIQUE: dict[str, Callable[[SeedAccount], Hashable]] = {
    "id": lambda account: account.id,
    "email": lambda account: account.email.lower(),
    "access_token": lambda account: account.access_token,
    "refresh_token": lambda account: account.refresh_token,
}
