"""How a bot stands: what its money rules judge by, made durable with every result."""

from datetime import datetime
from decimal import Decimal

import msgspec

from libs.contracts.account import AccountType
from libs.contracts.codec import Message
from libs.contracts.ids import BotId


class Day(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A trading day of one account type, over all runs. A trade belongs to the day in which it was decided."""

    date: str = ""
    """ISO date; empty before the first trade."""
    opening_balance: Decimal | None = None
    """What the account was worth when the day's first trade was decided."""
    profit: Decimal = Decimal(0)
    trades: int = 0
    hour: int = 0
    """The last clock hour in which a trade was decided (`Calendar.hour_of`)…"""
    hour_trades: int = 0
    """…and how many were."""


class PlanProgress(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Where the stake plan is; what the numbers mean is the plan's own."""

    step: int = 0
    wins: int = 0
    profit: Decimal = Decimal(0)
    of: str = ""
    """Stands for the plan with its numbers; under another one, these mean nothing."""


class PastTrade(Message, frozen=True, kw_only=True, array_like=True, gc=False):
    """As far as protections ask; whole cents, to be small."""

    ended: int
    """Epoch seconds."""
    active_id: int
    stake: int
    profit: int


class Lock(Message, frozen=True, kw_only=True, array_like=True, gc=False):
    """No entries until a time: on one active or, with 0, on any."""

    active_id: int
    until: int
    """Epoch seconds."""
    rule: str
    """The configuration's word for what locked it."""


class Score(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A run's score so far (KV `bots`, republished as `bot.{user}.{account_type}.pnl`), and what it carries on from
    earlier runs on that account: the day, the losses on each active, the locks and the recent trades."""

    id: str
    user: str
    at: datetime
    run: str
    account_type: AccountType
    sequence: int
    """Every order up to this one is counted in…"""
    ahead: tuple[int, ...] = ()
    """…and of later ones these, which ended before an earlier one did. What is counted in stays so: each is once."""
    order_id: str = ""
    """Counted last."""
    profit: Decimal = Decimal(0)
    """Of the order that was counted last."""
    total: Decimal = Decimal(0)
    wins: int = 0
    losses: int = 0
    ties: int = 0
    losses_in_a_row: int = 0
    """A tie neither adds nor ends."""
    peak: Decimal = Decimal(0)
    """The highest `total` so far, from 0 on."""
    opening_balance: Decimal | None = None
    """What the account was worth when the run's first trade was decided."""
    plan: PlanProgress = PlanProgress()
    day: Day = Day()
    """In the configuration's time zone."""
    utc_day: Day = Day()
    """For the limits that administrators set: users cannot move its midnight."""
    losses_on: dict[int, int] = msgspec.field(default_factory=dict)
    """By active: losses of the day since its last win there."""
    locks: tuple[Lock, ...] = ()
    recent: tuple[PastTrade, ...] = ()
    """As many, and as old, as the configured protections need."""
    rules: str = ""
    """Stands for the part of the configuration by which the day, the locks and the recent trades were counted."""

    @property
    def bot(self) -> BotId:
        return BotId(self.user, self.account_type)

    def counts(self, sequence: int) -> bool:
        """Whether the run's n-th order is counted in."""
        return sequence <= self.sequence or sequence in self.ahead

    @property
    def last(self) -> int:
        """The latest order that is counted in."""
        return max((self.sequence, *self.ahead))

    @property
    def trades(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def drawdown(self) -> Decimal:
        """How far `total` is below its peak."""
        return self.peak - self.total
