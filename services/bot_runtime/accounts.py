"""Broker sessions and balances of all users, as the gateway last published them."""

from collections.abc import Callable
from decimal import Decimal

from libs.bus import Bus, Entry
from libs.bus.topology import ACCOUNTS
from libs.contracts import keys
from libs.contracts.account import AccountType, Balances, SessionState, SessionStatus


class Accounts:
    def __init__(self) -> None:
        self._connected: set[str] = set()
        self._balances: dict[str, Balances] = {}
        self._changed: Callable[[str], None] | None = None

    async def follow(self, bus: Bus, changed: Callable[[str], None]) -> None:
        """Current when it returns, and kept so until the bus is closed; `changed(user)` is told of every change."""
        self._changed = changed
        await bus.mirror(ACCOUNTS, keys.session("*"), SessionStatus, self.session_changed)
        await bus.mirror(ACCOUNTS, keys.balance("*"), Balances, self.balance_changed)

    def connected(self, user: str) -> bool:
        return user in self._connected

    def balance(self, user: str, account_type: AccountType) -> Decimal | None:
        """Of exactly that account type; None when the user has none."""
        balances = self._balances.get(user)
        balance = balances.of(account_type) if balances is not None else None
        return None if balance is None else balance.amount

    def min_stake(self, user: str, account_type: AccountType) -> Decimal:
        """The smallest the broker takes; 0 where it does not tell."""
        balances = self._balances.get(user)
        balance = balances.of(account_type) if balances is not None else None
        return balance.min_stake or Decimal(0) if balance is not None else Decimal(0)

    def session_changed(self, key: str, entry: Entry[SessionStatus] | None) -> None:
        user = _user_of(key)
        if entry is not None and entry.value.state is SessionState.CONNECTED:
            self._connected.add(user)
        else:
            self._connected.discard(user)
        self._tell(user)

    def balance_changed(self, key: str, entry: Entry[Balances] | None) -> None:
        user = _user_of(key)
        if entry is not None:
            self._balances[user] = entry.value
        else:
            self._balances.pop(user, None)
        self._tell(user)

    def _tell(self, user: str) -> None:
        if self._changed is not None:
            self._changed(user)


def _user_of(key: str) -> str:
    return key.partition(".")[0]
