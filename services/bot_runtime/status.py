"""How a bot's state is told to others."""

from datetime import datetime

from libs.contracts.bots import Activity, BotState, BotStatus, DesiredBot
from libs.contracts.ids import new_id
from libs.contracts.orders import Order


def status_of(
    desired: DesiredBot,
    last: BotStatus | None,
    at: datetime,
    state: BotState,
    activity: Activity,
    label: str,
    order: Order | None = None,
) -> BotStatus:
    """`last` is the status before this one, of whatever run."""
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
    )


def says_the_same(one: BotStatus | None, other: BotStatus) -> bool:
    """Whether telling `other` after `one` would tell nothing new."""
    return one is not None and (one.run, one.state, one.activity, one.label, one.order_id) == (
        other.run, other.state, other.activity, other.label, other.order_id,
    )  # fmt: skip
