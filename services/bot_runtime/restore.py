"""A run's first score: what earlier trades on its account have to say, read back from their events."""

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
    closed = await bus.past(TRADES, subjects.trade(user, OrderState.CLOSED), TradeClosed, policy.since(now))
    return policy.rebuilt(fresh, (Trade.of(event.order, event.settlement, event.at) for event in closed), now)
