"""A bot's life, seen from outside: what it buys and what it tells."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from libs.contracts.bots import Activity, BotConfig, BotState
from libs.contracts.market import TradingHours
from libs.contracts.orders import OrderState, RejectCode
from services.bot_runtime import labels
from services.bot_runtime.run import order_id
from services.broker_gateway.broker import Refused, Unanswered
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import CLOCK, Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import USER
from tests.unit.bot_runtime.builders import an_active

D = Decimal


@pytest.fixture(autouse=True)
async def runtime(start_runtime: StartRuntime, gateway: Gateway) -> None:
    await start_runtime(PREGAO_ORDER_LIFETIME="2")


async def test_a_bot_trades_and_tells_every_step(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot(config=BotConfig(amount=D("12.5")))
    order = await gateway.next_order()
    await observer.label(labels.TRACKING)
    await gateway.settle(order, "10.25")
    await observer.label(labels.ANALYZING)
    assert observer.labels() == [
        "Starting bot...",
        "Analyzing markets...",
        f"Signal found: {order.direction.upper()} on {order.ticker} ({order.confidence}%)",
        f"Opening position on {order.ticker}...",
        "Tracking results...",
        "Position closed - ✅ WIN",
        "Analyzing markets...",
    ]
    activities = [status.activity for status in observer.statuses[USER]]
    assert activities == [
        Activity.ANALYZING,
        Activity.ANALYZING,
        Activity.SIGNAL_FOUND,
        Activity.OPENING,
        Activity.TRACKING,
        Activity.WIN,
        Activity.ANALYZING,
    ]
    assert (order.stake, order.sequence) == (D("12.50"), 1)
    assert order.duration == (10 if order.confidence > 50 else 5)
    pnl = await observer.score(1)
    assert (pnl.wins, pnl.trades, pnl.total, pnl.order_id) == (1, 1, D("10.25"), order.order_id)


async def test_the_signal_it_follows_is_told(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.until(lambda: observer.signals[USER])
    followed = observer.signals[USER][-1]
    assert followed.order_id == order.order_id
    assert (followed.signal.id, followed.signal.active_id) == (order.correlation_id, order.active_id)
    assert (followed.signal.direction, followed.signal.confidence) == (order.direction, order.confidence)


async def test_it_holds_one_position_at_a_time(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.label(labels.TRACKING)
    for _ in range(3):
        await gateway.close_candles(1, 2)
    await gateway.settle(order, "-1")
    await observer.label(labels.ANALYZING)
    await gateway.fund(USER, "900")
    await observer.stop_bot()
    await observer.label("Bot Stopped")
    assert len(gateway.bought) == 1, "what was signalled while the position was open is old"


async def test_a_stop_waits_for_the_open_position(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot()
    order = await gateway.next_order()
    await observer.label(labels.TRACKING)
    assert (await observer.stop_bot()).state is BotState.STOPPING
    await observer.label(labels.STOPPING)
    await gateway.close_candles(1, 2)
    await gateway.settle(order, "0")
    stopped = await observer.label("Bot Stopped")
    assert stopped.state is BotState.STOPPED
    assert "Position closed - ⚪ TIE" in observer.labels()
    assert len(gateway.bought) == 1


async def test_a_stop_without_a_position_is_immediate(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot()
    await observer.label(labels.ANALYZING)
    await observer.stop_bot()
    assert (await observer.label("Bot Stopped")).reason == "user"


async def test_a_result_told_again_is_counted_once(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot()
    first = await gateway.next_order()
    await gateway.settle(first, "8.20")
    await observer.score(1)
    await gateway.repeat_closing(first)
    second = await gateway.next_order()
    await gateway.repeat_closing(first)
    await gateway.settle(second, "-10")
    await gateway.repeat_closing(second)
    pnl = await observer.score(2)
    assert (pnl.trades, pnl.total, pnl.wins, pnl.losses) == (2, D("-1.80"), 1, 1)
    assert [score.sequence for score in observer.scores[USER]] == [0, 1, 2]


async def test_a_refused_order_is_told_and_the_next_signal_is_followed(gateway: Gateway, observer: Observer) -> None:
    gateway.broker.failure = Refused("not enough money")
    await observer.start_bot()
    refused = await gateway.next_order()
    await observer.score(1)
    await observer.label(labels.ANALYZING)
    assert "Order rejected - not enough money" in observer.labels()
    gateway.broker.failure = None
    order = await gateway.next_order()
    assert (refused.sequence, order.sequence) == (1, 2)
    assert (await observer.score(1)).trades == 0


async def test_without_a_gateway_nothing_is_sent_and_the_order_is_rejected(
    gateway: Gateway, observer: Observer
) -> None:
    await observer.start_bot()
    first = await gateway.next_order()
    await gateway.settle(first, "8.20")
    await observer.score(1)
    await observer.label(labels.ANALYZING)
    await gateway.vanish()
    async with gateway.closing_candles(1, 2):
        pnl = await observer.score(2)
    await observer.label(labels.ANALYZING)
    assert pnl.trades == 1
    assert any(label.startswith("Order rejected - nobody answers") for label in observer.labels())
    record = await gateway.find(USER, order_id(pnl.run, 2))
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.NO_SESSION)
    assert gateway.rejected[0] == record.order.order_id


@pytest.mark.parametrize(
    ("failure", "after"), [(Unanswered("the connection broke"), OrderState.SENDING), (None, OrderState.OPENED)]
)
async def test_an_unknown_outcome_stops_the_bot(
    gateway: Gateway, observer: Observer, failure: Unanswered | None, after: OrderState
) -> None:
    gateway.broker.failure = failure
    await observer.start_bot()
    order = await gateway.next_order()
    await gateway.give_up(order, after)
    failed = await observer.label(f"Bot stopped - the outcome of the order on {order.ticker} is unknown")
    assert (failed.state, failed.activity) == (BotState.FAILED, Activity.ERROR)
    assert observer.scores[USER][-1].sequence == 0, "what is not known is not counted"


async def test_an_order_the_gateway_never_took_expires(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot()
    first = await gateway.next_order()
    await gateway.settle(first, "8.20")
    await observer.score(1)
    await observer.label(labels.ANALYZING)
    await gateway.ignore_orders()
    told = len(observer.labels())
    await gateway.close_candles(1, 2)
    pnl = await observer.score(2)
    assert any(label.startswith("Opening position on") for label in observer.labels()[told:])
    record = await gateway.find(USER, pnl.order_id)
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.EXPIRED)
    assert len(gateway.bought) == 1


async def test_it_waits_while_the_broker_is_away_and_resumes(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot()
    order = await gateway.next_order()
    await gateway.lose()
    await gateway.settle(order, "8.20")
    await observer.label(labels.NO_CONNECTION)
    await gateway.close_candles(1, 2)
    await gateway.connect()
    assert (await gateway.next_order()).sequence == 2, "nothing was tried in between"


async def test_it_waits_for_funds(gateway: Gateway, observer: Observer) -> None:
    await gateway.fund(USER, "9.99")
    await observer.start_bot(config=BotConfig(amount=D(10)))
    await observer.label("Waiting for funds: the balance is below the amount per trade...")
    await gateway.fund(USER, "10")
    assert (await gateway.next_order()).stake == D(10)


async def test_losses_raise_the_stake_and_the_safety_stop_ends_it(gateway: Gateway, observer: Observer) -> None:
    config = BotConfig(
        amount=D(10), leverage_enabled=True, leverage=D("2.5"), safety_stop_enabled=True, safety_stop=3,
    )  # fmt: skip
    await observer.start_bot(config=config)
    for profit in ("-10", "-25", "-62.50"):
        await gateway.settle(await gateway.next_order(), profit)
    await observer.label("Bot stopped - Safety Stop triggered (3 losses)")
    assert [order.stake for order in gateway.bought] == [D(10), D(25), D("62.50")]
    assert observer.statuses[USER][-1].state is BotState.STOPPED


async def test_reaching_the_daily_goal_ends_it(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot(config=BotConfig(amount=D(100), daily_goal_enabled=True, daily_goal=D(150)))
    for profit in ("82", "-100", "90", "82.5"):
        await gateway.settle(await gateway.next_order(), profit)
    await observer.label("Bot stopped - Daily Goal reached: R$ 154.50")
    assert len(gateway.bought) == 4


async def test_a_manual_bot_trades_its_asset_at_its_timeframe(gateway: Gateway, observer: Observer) -> None:
    await observer.start_bot(config=BotConfig(mode="manual", asset="T2-OTC", timeframe=30))
    order = await gateway.next_order(1, 2, size=30)
    assert (order.active_id, order.duration) == (2, 30)
    assert {(query.active_id, query.size) for query in gateway.queries} == {(2, 30)}


async def test_what_keeps_a_manual_bot_from_its_asset_is_told(gateway: Gateway, observer: Observer) -> None:
    await gateway.offer(an_active(1, payout=79), an_active(2))
    await observer.start_bot(config=BotConfig(mode="manual", asset="T1-OTC", timeframe=10, min_payout=80))
    await observer.label("Waiting for a payout of 80%: it is 79%...")
    await gateway.offer(an_active(1, suspended=True), an_active(2))
    await observer.label("Waiting: T1-OTC is suspended...")
    now = int(CLOCK.now().timestamp())
    opens = now + 6
    await gateway.offer(
        an_active(1, hours=(TradingHours(now - 9, now), TradingHours(opens, opens + 600))), an_active(2)
    )
    closed = await observer.label(f"Waiting until {datetime.fromtimestamp(opens, UTC):%H:%M:%S} UTC: T1-OTC is closed")
    assert closed.held_until == datetime.fromtimestamp(opens, UTC)
    await observer.label(labels.ANALYZING)
    assert (await gateway.next_order(1)).active_id == 1
