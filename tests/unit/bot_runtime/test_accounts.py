from decimal import Decimal

from libs.bus import Entry
from libs.contracts import keys
from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from services.bot_runtime.accounts import Accounts
from tests.messages import NOW, OTHER_USER, USER


def told(accounts: Accounts, state: SessionState) -> None:
    status = SessionStatus(user=USER, at=NOW, state=state)
    accounts.session_changed(keys.session(USER), Entry(keys.session(USER), status, 1, 0.0))


def test_only_a_connected_session_counts() -> None:
    accounts = Accounts()
    for state in SessionState:
        told(accounts, state)
        assert accounts.connected(USER) == (state is SessionState.CONNECTED)
    assert not accounts.connected(OTHER_USER)


def test_a_session_that_is_gone_is_not_connected() -> None:
    accounts = Accounts()
    told(accounts, SessionState.CONNECTED)
    accounts.session_changed(keys.session(USER), None)
    assert not accounts.connected(USER)


def test_a_balance_is_of_exactly_the_account_type_asked_for() -> None:
    accounts = Accounts()
    real = Balance(id=1, type=AccountType.REAL, amount=Decimal(7), currency="USD")
    balances = Balances(user=USER, at=NOW, balances=(real,))
    accounts.balance_changed(keys.balance(USER), Entry(keys.balance(USER), balances, 1, 0.0))
    assert accounts.balance(USER, AccountType.REAL) == Decimal(7)
    assert accounts.balance(USER, AccountType.DEMO) is None
    assert accounts.balance(OTHER_USER, AccountType.REAL) is None
    accounts.balance_changed(keys.balance(USER), None)
    assert accounts.balance(USER, AccountType.REAL) is None
