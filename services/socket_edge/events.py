"""From what services say to what a user's sockets get."""

from datetime import datetime

from libs.contracts.account import Balances
from libs.contracts.bots import ACTIVITY_OF_RESULT, Activity, BotSignal, BotStatus
from libs.contracts.crm.notices import Notice
from libs.contracts.orders import Order, TradeClosed, TradeOpened, TradeRecorded
from libs.contracts.score import Score
from services.socket_edge.emissions import (
    BALANCE_UPDATE,
    BOT_STATUS,
    NOTIFICATION,
    PNL_UPDATE,
    POSITION_CLOSED,
    POSITION_OPENED,
    SIGNAL_NEW,
    STATUS_UPDATE,
    TRADE_COMPLETED,
    TRADE_NEW,
)
from services.socket_edge.news import News, Step
from services.socket_edge.payloads import (
    BalanceAmount,
    BalanceUpdate,
    BotStatusEvent,
    Notification,
    PnlUpdate,
    PositionClosed,
    PositionOpened,
    SignalNew,
    StatusUpdateEvent,
    TradeCompleted,
    TradeNew,
)


def win_rate(score: Score) -> float:
    """Percent, two decimals; 0 before the first trade."""
    return round(100 * score.wins / score.trades, 2) if score.trades else 0.0


def of_ledger(recorded: TradeRecorded) -> News | None:
    if recorded.closed is not None:
        events = (
            (POSITION_CLOSED, _position_closed(recorded.trade_id, recorded.closed)),
            (TRADE_COMPLETED, _trade_completed(recorded.trade_id, recorded.closed)),
        )
        return News(events, recorded.closed.order.order_id, Step.TRADE)
    if recorded.opened is not None:
        opened = _position_opened(recorded.trade_id, recorded.opened)
        return News(((POSITION_OPENED, opened), (TRADE_NEW, _trade_new(opened, recorded.opened.order))))
    return None


def of_score(score: Score) -> News:
    return News(((PNL_UPDATE, pnl_of(score)),), score.order_id, Step.SCORE)


def pnl_of(score: Score) -> PnlUpdate:
    return PnlUpdate(
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


def bot_status_of(status: BotStatus) -> BotStatusEvent:
    return BotStatusEvent(
        status=status.activity,
        label=status.label,
        current_asset=status.ticker,
        active_id=status.active_id,
        account_type=status.config.account_type,
        timestamp=status.at,
        user_id=status.user,
    )


def of_status(status: BotStatus) -> News:
    """Both names of it; the one with the human text last, because clients show whichever came last."""
    update = StatusUpdateEvent(
        status=status.label,
        state=status.activity,
        current_asset=status.ticker,
        active_id=status.active_id,
        account_type=status.config.account_type,
        timestamp=status.at,
        user_id=status.user,
    )
    events = ((BOT_STATUS, bot_status_of(status)), (STATUS_UPDATE, update))
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
    return News(((STATUS_UPDATE, update),))


def of_signal(signal: BotSignal) -> News:
    told = SignalNew(
        active_id=signal.signal.active_id,
        direction=signal.signal.direction.upper(),
        confidence=signal.signal.confidence,
        strategy=signal.signal.strategy,
        timeframe=signal.signal.size,
        timestamp=signal.at,
        user_id=signal.user,
    )
    return News(((SIGNAL_NEW, told),))


def of_balances(balances: Balances) -> News:
    update = BalanceUpdate(balances=amounts(balances), timestamp=balances.at, user_id=balances.user)
    return News(((BALANCE_UPDATE, update),))


def of_notice(notice: Notice) -> News:
    told = Notification(id=notice.id, title=notice.title, body=notice.body, timestamp=notice.at, user_id=notice.user)
    return News(((NOTIFICATION, told),))


def amounts(balances: Balances) -> tuple[BalanceAmount, ...]:
    return tuple(
        BalanceAmount(account_type=balance.type, amount=balance.amount, currency=balance.currency)
        for balance in balances.balances
    )


def _trade_new(opened: PositionOpened, order: Order) -> TradeNew:
    return TradeNew(
        trade_id=opened.trade_id,
        position_id=opened.position_id,
        asset=opened.active_name,
        active_id=opened.active_id,
        direction=opened.direction,
        amount=opened.amount,
        account_type=opened.account_type,
        strategy=order.strategy,
        timestamp=opened.timestamp,
        user_id=opened.user_id,
    )


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
