"""What earlier trades on its account have to say to a run, read back from their events."""

from datetime import datetime

from libs.bus import Bus
from libs.bus.topology import TRADES
from libs.contracts import subjects
from libs.contracts.account import AccountType
from libs.contracts.ids import derived_id
from libs.contracts.orders import OrderState, TradeClosed
from libs.contracts.score import Score
from services.bot_runtime.policy import Policy, Trade


def fresh_score(user: str, run: str, account_type: AccountType, at: datetime) -> Score:
    """Before the first trade there ever was."""
    return Score(id=derived_id("pnl", run, 0), user=user, at=at, run=run, account_type=account_type, sequence=0)


async def restored(bus: Bus, user: str, run: str, policy: Policy, now: datetime) -> Score:
    """With the trades of the day and of the protections' lookback in it: a daily goal that was reached stays reached,
    in whatever run. Raises BusUnavailable."""
    fresh = fresh_score(user, run, policy.config.account_type, now)
    return policy.rebuilt(fresh, await _settled(bus, user, policy.since(now)), now)


async def adapted(bus: Bus, score: Score, policy: Policy, now: datetime) -> Score:
    """The score of a run whose configuration has changed, with what it carries on read back: another time zone has
    other days, other protections look at other trades. Raises BusUnavailable."""
    settled = await _settled(bus, score.user, policy.since(now))
    counted = (trade for trade in settled if trade.run != score.run or score.counts(trade.sequence))
    return policy.adapted(score, counted, now)


async def _settled(bus: Bus, user: str, since: datetime) -> list[Trade]:
    closed = await bus.past(TRADES, subjects.trade(user, OrderState.CLOSED), TradeClosed, since)
    return [Trade.of(event.order, event.settlement, event.at) for event in closed]
