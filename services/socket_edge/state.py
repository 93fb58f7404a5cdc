"""What the other services last said, replicated in memory: polled reads are answered from here."""

from decimal import Decimal

from libs.bus import Bus, Mirror
from libs.bus.topology import ACCOUNTS, BOTS, CATALOGUE
from libs.contracts import keys
from libs.contracts.account import AccountChoice, AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import BotState, BotStatus, shown
from libs.contracts.ids import BotId
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
        choices: Mirror[AccountChoice],
        catalogue: Mirror[Catalogue],
    ) -> None:
        self._sessions = sessions
        self._balances = balances
        self._statuses = statuses
        self._scores = scores
        self._choices = choices
        self._catalogue = catalogue

    @classmethod
    async def follow(cls, bus: Bus) -> "State":
        """Current when this returns, and from then on; ends with the bus."""
        return cls(
            await bus.mirror(ACCOUNTS, keys.session("*"), SessionStatus),
            await bus.mirror(ACCOUNTS, keys.balance("*"), Balances),
            await bus.mirror(BOTS, keys.bot_status(keys.EVERY_BOT), BotStatus),
            await bus.mirror(BOTS, keys.bot_score(keys.EVERY_BOT), Score),
            await bus.mirror(BOTS, keys.account_choice("*"), AccountChoice),
            await bus.mirror(CATALOGUE, "actives", Catalogue),
        )

    def session(self, user: str) -> SessionStatus | None:
        return self._sessions.get(keys.session(user))

    def connected(self, user: str) -> bool:
        session = self.session(user)
        return session is not None and session.state is SessionState.CONNECTED

    def only_user(self) -> str | None:
        """The only one with a session to the broker; None if there is none, or more than one."""
        users = [entry.value.user for _, entry in self._sessions.items() if self.connected(entry.value.user)]
        return users[0] if len(users) == 1 else None

    def balances(self, user: str) -> Balances | None:
        return self._balances.get(keys.balance(user))

    def balance(self, user: str, account_type: AccountType) -> Balance | None:
        balances = self.balances(user)
        return None if balances is None else balances.of(account_type)

    def amount(self, user: str, account_type: AccountType) -> Decimal:
        """0 without such a balance: never the amount of another one."""
        balance = self.balance(user, account_type)
        return Decimal(0) if balance is None else balance.amount

    def bot(self, user: str, account_type: AccountType | None = None) -> BotStatus | None:
        """The one on that account; without one, the one that is shown for all of them."""
        wanted = AccountType if account_type is None else (account_type,)
        statuses = [self._statuses.get(keys.bot_status(BotId(user, each))) for each in wanted]
        known = [status for status in statuses if status is not None]
        return known[0] if len(known) == 1 else shown(known)

    def bot_states(self) -> dict[BotId, BotState]:
        """Of everybody's bots."""
        return {entry.value.bot: entry.value.state for _, entry in self._statuses.items()}

    def account_type(self, user: str, bot: BotStatus | None) -> AccountType:
        """The one that is shown: of `bot`, if it runs, else the one the user chose."""
        if bot is not None and bot.state.alive:
            return bot.config.account_type
        choice = self._choices.get(keys.account_choice(user))
        return choice.account_type if choice is not None else AccountType.DEMO

    def running(self) -> list[BotStatus]:
        """Everybody's bots whose run is not over."""
        return [entry.value for _, entry in self._statuses.items() if entry.value.state.alive]

    def score(self, bot: BotId) -> Score | None:
        return self._scores.get(keys.bot_score(bot))

    def catalogue(self) -> Catalogue | None:
        return self._catalogue.get("actives")
