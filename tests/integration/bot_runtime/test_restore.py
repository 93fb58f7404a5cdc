"""What a run's score is made of when nothing but the events of its trades is left."""

from datetime import timedelta
from decimal import Decimal

from libs.bus import Bus
from libs.bus.topology import TRADES
from libs.contracts import subjects
from libs.contracts.bots import BotConfig, DesiredBot
from libs.contracts.orders import Order, OrderState, RejectCode, Settlement, TradeClosed, TradeFailed
from services.bot_runtime.policy import Policy
from services.bot_runtime.restore import begun
from tests.messages import USER, a_position, an_order

D = Decimal
TOMORROW = timedelta(days=2)


async def closed(bus: Bus, order: Order, profit: str) -> None:
    now = bus.clock.now()
    event = TradeClosed(
        id=f"{order.order_id}.closed", at=now, order=order, position=a_position(),
        settlement=Settlement(closed_at=now, close_quote=1.1, profit=D(profit)),
    )  # fmt: skip
    await bus.append(subjects.trade(USER, OrderState.CLOSED), event, id=event.id)


async def rejected(bus: Bus, order: Order) -> None:
    event = TradeFailed(
        id=f"{order.order_id}.rejected", at=bus.clock.now(), order=order, state=OrderState.REJECTED,
        code=RejectCode.EXPIRED, reason="too late",
    )  # fmt: skip
    await bus.append(subjects.trade(USER, OrderState.REJECTED), event, id=event.id)


async def test_of_a_run_that_began_yesterday_all_trades_count_and_no_id_is_used_again(bus: Bus) -> None:
    await bus.ensure(TRADES)
    now = bus.clock.now()

    def order(sequence: int, run: str = "run-1") -> Order:
        return an_order(order_id=f"{run}-{sequence}", run=run, sequence=sequence, at=now)

    await closed(bus, order(7, "run-0"), "8.20")
    await closed(bus, order(1), "-10")
    await rejected(bus, order(2))
    await closed(bus, order(3), "-10")
    await rejected(bus, order(9, "run-0"))
    await rejected(bus, order(4))
    desired = DesiredBot(
        user=USER, at=now - timedelta(hours=1), run="run-1", number=1, running=True, config=BotConfig()
    )
    score = await begun(bus, desired, Policy(desired.config), now + TOMORROW)
    assert (score.sequence, score.ahead) == (4, ())
    assert (score.trades, score.total, score.losses_in_a_row) == (2, D(-20), 2)
