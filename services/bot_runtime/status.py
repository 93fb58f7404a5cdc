"""How a bot's state is told to others."""

from datetime import datetime

from libs.contracts.bots import Activity, BotState, BotStatus, DesiredBot, TradingState
from libs.contracts.ids import new_id
from libs.contracts.orders import Order
from services.bot_runtime.policy import Refusal


def status_of(
    desired: DesiredBot,
    last: BotStatus | None,
    at: datetime,
    state: BotState,
    activity: Activity,
    label: str,
    order: Order | None = None,
    refusal: Refusal | None = None,
) -> BotStatus:
    """`last` is the status before this one, of whatever run; `refusal`: what keeps it from trading."""
    same_run = last is not None and last.run == desired.run
    return BotStatus(
        id=new_id(),
        user=desired.user,
        at=at,
        run=desired.run,
        number=desired.number,
        state=state,
        activity=activity,
        label=label,
        config=desired.config,
        started_at=last.started_at if last is not None and same_run else desired.at,
        active_id=order.active_id if order is not None else None,
        ticker=order.ticker if order is not None else None,
        order_id=order.order_id if order is not None else None,
        reason=desired.reason,
        trading=refusal.state if refusal is not None else TradingState.ACTIVE,
        held_until=refusal.until if refusal is not None else None,
    )


def says_the_same(one: BotStatus | None, other: BotStatus) -> bool:
    """Whether telling `other` after `one` would tell nothing new."""
    return one is not None and _said(one) == _said(other)


def _said(status: BotStatus) -> tuple[object, ...]:
    return (
        status.run, status.state, status.activity, status.label, status.order_id, status.trading, status.held_until,
        status.config,
    )  # fmt: skip
