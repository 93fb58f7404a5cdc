"""What the other services last said, replicated in memory: polled reads are answered from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from libs.bus import Bus, Mirror
from libs.bus.topology import ACCOUNTS, BOTS, CATALOGUE
from libs.contracts import keys
from libs.contracts.account import AccountChoice, AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import BotState, BotStatus, shown
from libs.contracts.clock import Clock
from libs.contracts.ids import BotId
from libs.contracts.market import Catalogue
from libs.contracts.score import Score

_MOST = 20_000
"""Users whose facts are kept together; the oldest are looked up again."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one user; the same object until one of them changes."""

    at: datetime
    """When they were looked up."""
    session: SessionStatus | None
    connected: bool
    balances: Balances | None
    amounts: Mapping[AccountType, Decimal]
    """0 without such a balance: never the amount of another one."""
    choice: AccountChoice | None
    bots: Mapping[AccountType | None, BotStatus | None]
    """The one on each account; under None the one that is shown for all of them."""

    def account_type(self, bot: BotStatus | None) -> AccountType:
        """The one that is shown: of `bot`, if it runs, else the one the user chose."""
        if bot is not None and bot.state.alive:
            return bot.config.account_type
        return self.choice.account_type if self.choice is not None else AccountType.DEMO

    def balance(self, account_type: AccountType) -> Balance | None:
        return None if self.balances is None else self.balances.of(account_type)


class State:
    """Current when it was followed, and from then on; ends with the bus."""

    _sessions: Mirror[SessionStatus]
    _balances: Mirror[Balances]
    _statuses: Mirror[BotStatus]
    _choices: Mirror[AccountChoice]
    _scores: Mirror[Score]
    _catalogue: Mirror[Catalogue]

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._facts: dict[str, Facts] = {}
        """By user, of those who are asked about again and again."""

    @classmethod
    async def follow(cls, bus: Bus) -> "State":
        state = cls(bus.clock)
        state._sessions = await bus.mirror(ACCOUNTS, keys.session("*"), SessionStatus, state._changed)
        state._balances = await bus.mirror(ACCOUNTS, keys.balance("*"), Balances, state._changed)
        state._statuses = await bus.mirror(BOTS, keys.bot_status(keys.EVERY_BOT), BotStatus, state._changed)
        state._choices = await bus.mirror(BOTS, keys.account_choice("*"), AccountChoice, state._changed)
        state._scores = await bus.mirror(BOTS, keys.bot_score(keys.EVERY_BOT), Score)
        state._catalogue = await bus.mirror(CATALOGUE, "actives", Catalogue)
        return state

    def of(self, user: str) -> Facts:
        facts = self._facts.get(user)
        if facts is None:
            facts = self._facts[user] = self._look_up(user)
            if len(self._facts) > _MOST:
                del self._facts[next(iter(self._facts))]
        return facts

    def only_user(self) -> str | None:
        """The only one with a session to the broker; None if there is none, or more than one."""
        statuses = (entry.value for _, entry in self._sessions.items())
        users = [status.user for status in statuses if status.state is SessionState.CONNECTED]
        return users[0] if len(users) == 1 else None

    def bot_states(self) -> dict[BotId, BotState]:
        """Of everybody's bots."""
        return {entry.value.bot: entry.value.state for _, entry in self._statuses.items()}

    def running(self) -> list[BotStatus]:
        """Everybody's bots whose run is not over."""
        return [entry.value for _, entry in self._statuses.items() if entry.value.state.alive]

    def score(self, bot: BotId) -> Score | None:
        return self._scores.get(keys.bot_score(bot))

    def catalogue(self) -> Catalogue | None:
        return self._catalogue.get("actives")

    def _look_up(self, user: str) -> Facts:
        session, balances = self._sessions.get(keys.session(user)), self._balances.get(keys.balance(user))
        bots: dict[AccountType | None, BotStatus | None]
        bots = {each: self._statuses.get(keys.bot_status(BotId(user, each))) for each in AccountType}
        bots[None] = shown(bot for bot in bots.values() if bot is not None)
        return Facts(
            at=self._clock.now(),
            session=session,
            connected=session is not None and session.state is SessionState.CONNECTED,
            balances=balances,
            amounts={each: _amount(balances, each) for each in AccountType},
            choice=self._choices.get(keys.account_choice(user)),
            bots=bots,
        )

    def _changed(self, key: str, _entry: object) -> None:
        self._facts.pop(keys.user_of(key), None)


def _amount(balances: Balances | None, account_type: AccountType) -> Decimal:
    balance = None if balances is None else balances.of(account_type)
    return Decimal(0) if balance is None else balance.amount
