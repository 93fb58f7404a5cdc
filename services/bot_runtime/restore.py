"""What earlier trades on its account have to say to a run, read back from their events."""

from datetime import datetime, timedelta

from libs.bus import Bus
from libs.bus.topology import TRADES
from libs.contracts import subjects
from libs.contracts.account import AccountType
from libs.contracts.bots import DesiredBot
from libs.contracts.ids import derived_id
from libs.contracts.orders import FINAL_RECORD_LIFE, OrderState, TradeClosed, TradeFailed
from libs.contracts.score import Score
from services.bot_runtime.policy import Policy, Trade
from services.bot_runtime.policy.scoring import passed

RECORDS_LAPSE = timedelta(seconds=FINAL_RECORD_LIFE / 2)
"""After so long, nobody can rely on finding the record of an order that ended."""


def fresh_score(user: str, run: str, account_type: AccountType, at: datetime) -> Score:
    """Before the first trade there ever was."""
    return Score(id=derived_id("pnl", run, 0), user=user, at=at, run=run, account_type=account_type, sequence=0)


async def restored(bus: Bus, user: str, run: str, policy: Policy, now: datetime) -> Score:
    """With the trades of the day and of the protections' lookback in it: a daily goal that was reached stays reached,
    in whatever run. Raises BusUnavailable."""
    fresh = fresh_score(user, run, policy.config.account_type, now)
    return policy.rebuilt(fresh, await _settled(bus, user, policy.since(now), run), now)


async def begun(bus: Bus, desired: DesiredBot, policy: Policy, now: datetime) -> Score:
    """The first score of a run or, should a later one have been lost, all of it: its trades since it was started, and
    the ids of its orders, none of which may be used again. Raises BusUnavailable."""
    user, run, since = desired.user, desired.run, min(policy.since(now), desired.at)
    fresh = fresh_score(user, run, policy.config.account_type, now)
    score = policy.rebuilt(fresh, await _settled(bus, user, since, run), now)
    if now - desired.at < RECORDS_LAPSE:
        return score  # the records of what was rejected are there
    for event in await bus.past(TRADES, subjects.trade(user, OrderState.REJECTED), TradeFailed, desired.at):
        if event.order.run == run and not score.counts(event.order.sequence):
            score = passed(score, event.order.sequence, now)
    return score


async def adapted(bus: Bus, score: Score, policy: Policy, now: datetime) -> Score:
    """The score of a run whose configuration has changed, with what it carries on read back: another time zone has
    other days, other protections look at other trades. Raises BusUnavailable."""
    settled = await _settled(bus, score.user, policy.since(now), score.run)
    counted = (trade for trade in settled if trade.run != score.run or score.counts(trade.sequence))
    return policy.adapted(score, counted, now)


async def _settled(bus: Bus, user: str, since: datetime, run: str) -> list[Trade]:
    """In the order in which they ended. An order of another run whose outcome is unknown counts as lost, so that no
    loss limit is passed by it; the run's own is in its way by itself."""
    closed = await bus.past(TRADES, subjects.trade(user, OrderState.CLOSED), TradeClosed, since)
    unknown = await bus.past(TRADES, subjects.trade(user, OrderState.UNKNOWN), TradeFailed, since)
    told = {event.order.order_id for event in closed}
    lost = [event for event in unknown if event.order.run != run and event.order.order_id not in told]
    return sorted(
        [
            *(Trade.of(event.order, event.settlement.profit, event.at) for event in closed),
            *(Trade.of(event.order, -event.order.stake, event.at) for event in lost),
        ],
        key=lambda trade: trade.ended,
    )
