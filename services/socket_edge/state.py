"""What the other services last said, replicated in memory: polled reads are answered from here."""

from decimal import Decimal

from libs.bus import Bus, Mirror
from libs.bus.topology import ACCOUNTS, BOTS, CATALOGUE
from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import BotStatus
from libs.contracts.market import Catalogue
from libs.contracts.score import Score


class State:
    """Made by `State.follow`; every lookup is by user id."""

    def __init__(
        self,
        sessions: Mirror[SessionStatus],
        balances: Mirror[Balances],
        statuses: Mirror[BotStatus],
        scores: Mirror[Score],
        catalogue: Mirror[Catalogue],
    ) -> None:
        self._sessions = sessions
        self._balances = balances
        self._statuses = statuses
        self._scores = scores
        self._catalogue = catalogue

    @classmethod
    async def follow(cls, bus: Bus) -> "State":
        """Current when this returns, and from then on; ends with the bus."""
        return cls(
            await bus.mirror(ACCOUNTS, "*.session", SessionStatus),
            await bus.mirror(ACCOUNTS, "*.balance", Balances),
            await bus.mirror(BOTS, "*.status", BotStatus),
            await bus.mirror(BOTS, "*.pnl", Score),
            await bus.mirror(CATALOGUE, "actives", Catalogue),
        )

    def session(self, user: str) -> SessionStatus | None:
        return self._sessions.get(f"{user}.session")

    def connected(self, user: str) -> bool:
        session = self.session(user)
        return session is not None and session.state is SessionState.CONNECTED

    def balance(self, user: str, account_type: AccountType) -> Balance | None:
        balances = self._balances.get(f"{user}.balance")
        return None if balances is None else balances.of(account_type)

    def amount(self, user: str, account_type: AccountType) -> Decimal:
        """0 without such a balance: never the amount of another one."""
        balance = self.balance(user, account_type)
        return Decimal(0) if balance is None else balance.amount

    def bot(self, user: str) -> BotStatus | None:
        return self._statuses.get(f"{user}.status")

    def score(self, user: str) -> Score | None:
        return self._scores.get(f"{user}.pnl")

    def catalogue(self) -> Catalogue | None:
        return self._catalogue.get("actives")
