"""What a run's score is made of when nothing but the events of its trades is left."""

from datetime import timedelta
from decimal import Decimal

from libs.bus import Bus
from libs.bus.topology import TRADES
from libs.contracts import subjects
from libs.contracts.bots import BotConfig, DesiredBot
from libs.contracts.orders import Order, OrderState, RejectCode, Settlement, TradeClosed, TradeFailed
from services.bot_runtime.policy import Policy
from services.bot_runtime.restore import adapted, begun, restored
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


async def failed(bus: Bus, order: Order, state: OrderState) -> None:
    event = TradeFailed(
        id=f"{order.order_id}.{state}", at=bus.clock.now(), order=order, state=state,
        code=RejectCode.EXPIRED, reason="of this test",
    )  # fmt: skip
    await bus.append(subjects.trade(USER, state), event, id=event.id)


async def test_of_a_run_that_began_yesterday_all_trades_count_and_no_id_is_used_again(bus: Bus) -> None:
    await bus.ensure(TRADES)
    now = bus.clock.now()

    def order(sequence: int, run: str = "run-1") -> Order:
        return an_order(order_id=f"{run}-{sequence}", run=run, sequence=sequence, at=now)

    await closed(bus, order(7, "run-0"), "8.20")
    await closed(bus, order(1), "-10")
    await failed(bus, order(2), OrderState.REJECTED)
    await closed(bus, order(3), "-10")
    await failed(bus, order(9, "run-0"), OrderState.REJECTED)
    await failed(bus, order(4), OrderState.REJECTED)
    desired = DesiredBot(
        user=USER, at=now - timedelta(hours=1), run="run-1", number=1, running=True, config=BotConfig()
    )
    score = await begun(bus, desired, Policy(desired.config), now + TOMORROW)
    assert (score.sequence, score.ahead) == (4, ())
    assert (score.trades, score.total, score.losses_in_a_row) == (2, D(-20), 2)


async def test_what_is_not_known_of_an_earlier_run_counts_as_lost_until_it_is_known(bus: Bus) -> None:
    await bus.ensure(TRADES)
    now = bus.clock.now()

    def order(sequence: int, run: str = "run-0") -> Order:
        return an_order(order_id=f"{run}-{sequence}", run=run, sequence=sequence, at=now, stake=D(10 * sequence))

    policy = Policy(BotConfig())
    await failed(bus, order(1), OrderState.UNKNOWN)
    await failed(bus, order(2), OrderState.UNKNOWN)
    await failed(bus, order(3, "run-1"), OrderState.UNKNOWN)
    assert (await restored(bus, USER, "", policy, now)).day.profit == D(-60)
    score = await restored(bus, USER, "run-1", policy, now)
    assert (score.day.profit, score.trades, score.sequence) == (D(-30), 0, 0), "its own is in its way by itself"
    await closed(bus, order(2), "16.40")
    assert (await adapted(bus, score, policy, now)).day.profit == D("6.40")
