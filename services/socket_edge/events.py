"""What a user's sockets get (api-contract §8.1), in the clients' names. Money leaves as JSON numbers."""

from datetime import datetime
from decimal import Decimal

from libs.contracts.account import AccountType
from libs.contracts.bots import ACTIVITY_OF_RESULT, Activity, BotStatus
from libs.contracts.orders import TradeClosed, TradeOpened, TradeRecorded, TradeResult
from libs.contracts.score import Score
from services.socket_edge.news import Event, News, Step


class BotStatusEvent(Event, frozen=True, kw_only=True, rename="camel"):
    status: Activity
    label: str
    current_asset: str | None
    active_id: int | None
    account_type: AccountType
    """Of the bot."""


class StatusUpdateEvent(Event, frozen=True, kw_only=True, rename="camel"):
    status: str
    """For people."""
    state: Activity
    current_asset: str | None
    active_id: int | None
    account_type: AccountType | None
    """Of the bot; null when it is about the session to the broker."""


class PositionOpened(Event, frozen=True, kw_only=True, rename="camel"):
    position_id: int
    trade_id: str
    active_name: str
    active_id: int
    direction: str
    amount: Decimal
    expiration_seconds: int
    account_type: AccountType


class PositionClosed(Event, frozen=True, kw_only=True, rename="camel"):
    position_id: int
    trade_id: str
    resultado: TradeResult
    pnl: Decimal


class TradeCompleted(Event, frozen=True, kw_only=True, rename="camel"):
    trade_id: str
    position_id: int
    asset: str
    active_id: int
    direction: str
    amount: Decimal
    result: TradeResult
    resultado: TradeResult
    pnl: Decimal
    account_type: AccountType
    strategy: str
    opened_at: datetime
    closed_at: datetime


class PnlUpdate(Event, frozen=True, kw_only=True, rename="camel"):
    pnl: Decimal
    """Of the last trade."""
    total_pnl: Decimal
    """Of the run."""
    win_rate: float
    """Percent of all trades of the run."""
    total_trades: int
    wins: int
    losses: int
    ties: int
    account_type: AccountType


def win_rate(score: Score) -> float:
    """Percent, two decimals; 0 before the first trade."""
    return round(100 * score.wins / score.trades, 2) if score.trades else 0.0


def of_ledger(recorded: TradeRecorded) -> News | None:
    if recorded.closed is not None:
        events = (
            ("position:closed", _position_closed(recorded.trade_id, recorded.closed)),
            ("trade_completed", _trade_completed(recorded.trade_id, recorded.closed)),
        )
        return News(events, recorded.closed.order.order_id, Step.TRADE)
    if recorded.opened is not None:
        return News((("position:opened", _position_opened(recorded.trade_id, recorded.opened)),))
    return None


def of_score(score: Score) -> News:
    update = PnlUpdate(
        pnl=score.profit,
        total_pnl=score.total,
        win_rate=win_rate(score),
        total_trades=score.trades,
        wins=score.wins,
        losses=score.losses,
        ties=score.ties,
        account_type=score.account_type,
        timestamp=score.at,
        user_id=score.user,
    )
    return News((("pnl_update", update),), score.order_id, Step.SCORE)


def of_status(status: BotStatus) -> News:
    """Both names of it; the one with the human text last, because clients show whichever came last."""
    bot_status = BotStatusEvent(
        status=status.activity,
        label=status.label,
        current_asset=status.ticker,
        active_id=status.active_id,
        account_type=status.config.account_type,
        timestamp=status.at,
        user_id=status.user,
    )
    update = StatusUpdateEvent(
        status=status.label,
        state=status.activity,
        current_asset=status.ticker,
        active_id=status.active_id,
        account_type=status.config.account_type,
        timestamp=status.at,
        user_id=status.user,
    )
    events = (("bot_status", bot_status), ("bot:status-update", update))
    ends_trade = status.activity in ACTIVITY_OF_RESULT.values() and status.order_id is not None
    return News(events, status.order_id or "", Step.RESULT) if ends_trade else News(events)


def of_connection(user: str, at: datetime) -> News:
    """A user's session to the broker was opened on their request."""
    update = StatusUpdateEvent(
        status="Connected to broker",
        state=Activity.STOPPED,
        current_asset=None,
        active_id=None,
        account_type=None,
        timestamp=at,
        user_id=user,
    )
    return News((("bot:status-update", update),))


def _position_opened(trade_id: int, opened: TradeOpened) -> PositionOpened:
    order = opened.order
    return PositionOpened(
        position_id=opened.position.position_id,
        trade_id=str(trade_id),
        active_name=order.ticker,
        active_id=order.active_id,
        direction=order.direction.upper(),
        amount=order.stake,
        expiration_seconds=order.duration,
        account_type=order.account_type,
        timestamp=opened.at,
        user_id=order.user,
    )


def _position_closed(trade_id: int, closed: TradeClosed) -> PositionClosed:
    return PositionClosed(
        position_id=closed.position.position_id,
        trade_id=str(trade_id),
        resultado=closed.settlement.result,
        pnl=closed.settlement.profit,
        timestamp=closed.at,
        user_id=closed.order.user,
    )


def _trade_completed(trade_id: int, closed: TradeClosed) -> TradeCompleted:
    order = closed.order
    return TradeCompleted(
        trade_id=str(trade_id),
        position_id=closed.position.position_id,
        asset=order.ticker,
        active_id=order.active_id,
        direction=order.direction.upper(),
        amount=order.stake,
        result=closed.settlement.result,
        resultado=closed.settlement.result,
        pnl=closed.settlement.profit,
        account_type=order.account_type,
        strategy=order.strategy,
        opened_at=closed.position.opened_at,
        closed_at=closed.settlement.closed_at,
        timestamp=closed.at,
        user_id=order.user,
    )
