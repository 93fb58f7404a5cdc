"""How a trade came about, told from what was recorded of it and nothing else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.bus import Bus
from libs.bus.topology import BOTS, DESIRED, ORDERS
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys
from libs.contracts.account import AccountType
from libs.contracts.admin import OfTrade, PageOfUser
from libs.contracts.bots import BotConfig, BotSignal, DesiredBot, Signal
from libs.contracts.ids import new_id
from libs.contracts.market import Candle
from libs.contracts.orders import Direction, Order, OrderRecord, OrderState, TradeClosed, TradeOpened
from libs.contracts.rpc import CANDLES, CandlePage, CandleQuery, Endpoint, ErrorCode, RpcError
from libs.contracts.trade_context import Trader
from libs.store import Database
from libs.store.trades import Trades
from tests.integration.analytics.books import until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_candle, a_closing, a_position, a_settlement, an_opening, an_order

AGO = timedelta(minutes=20)
Story = tuple[TradeOpened, TradeClosed]


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


@pytest.fixture
async def trades(supabase_server: SupabaseServer) -> AsyncIterator[Trades]:
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        yield Trades(database)


def a_story(person: Person, **changes: Any) -> Story:
    decided = datetime.now(UTC).replace(microsecond=0) - AGO
    order = an_order(
        order_id=new_id(), user=person.user, at=decided, quote=1.0841, strategy="mhi", confidence=71, **changes
    )
    opened_at = decided + timedelta(seconds=1)
    position = a_position(position_id=number(), opened_at=opened_at, expiry=opened_at + timedelta(seconds=10))
    settlement = a_settlement(closed_at=position.expiry, profit=Decimal("-10"), close_quote=1.084)
    at = decided + timedelta(milliseconds=250)
    return (
        an_opening(order=order, position=position, at=at),
        a_closing(order=order, position=position, settlement=settlement, at=position.expiry + timedelta(seconds=1)),
    )


async def recorded(trades: Trades, *events: TradeOpened | TradeClosed) -> OfTrade:
    [row] = (await trades.record(events)).values()
    return OfTrade(id=row.id)


async def signalled(bus: Bus, order: Order) -> Signal:
    signal = Signal(
        id=new_id(), at=order.at - timedelta(milliseconds=40), active_id=76, size=60,
        candle_end=int(order.at.timestamp()) // 60 * 60, strategy="mhi", direction=Direction.PUT, confidence=71,
    )  # fmt: skip
    told = BotSignal(user=order.user, at=signal.at, run=order.run, order_id=order.order_id, signal=signal)
    await bus.bucket(BOTS).put(keys.bot_signal(order.bot), told)
    return signal


async def test_a_trade_is_told_step_by_step(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, trades: Trades, person: Person
) -> None:
    await start_analytics(supabase_server)
    await bus.ensure(ORDERS)
    opened, closed = a_story(person)
    order = opened.order
    asked = await recorded(trades, opened)
    await recorded(trades, closed)
    signal = await signalled(bus, order)
    sent = order.at + timedelta(milliseconds=20)
    record = OrderRecord(order=order, state=OrderState.CLOSED, updated_at=closed.at, sent_at=sent, balance_id=7)
    await bus.bucket(ORDERS).put(f"{order.user}.{order.order_id}", record)

    steps = (await bus.call(rpc.TRADE_TIMELINE, asked)).rows
    told = [(step.type, step.data.get("event"), step.at) for step in steps]
    assert told[:-1] == [
        ("signal", None, signal.at),
        ("order", None, order.at),
        ("update", "sent", sent),
        ("update", "accepted", opened.at),
        ("open", None, opened.position.opened_at),
        ("close", None, closed.settlement.closed_at),
    ]
    assert (told[-1][0], steps[-1].data) == ("settle", {"result": "LOSS", "pnl": -10.0})
    by_type = {step.type: step.data for step in steps if step.type != "update"}
    assert (by_type["signal"]["timeframe"], by_type["signal"]["candle_end"]) == (60, signal.candle_end)
    assert (by_type["order"]["confidence"], by_type["order"]["quote"], by_type["order"]["amount"]) == (71, 1.0841, 10)
    assert (by_type["open"]["payout"], by_type["close"]["quote"]) == (82, 1.084)
    accepted = next(step for step in steps if step.data.get("event") == "accepted")
    assert accepted.data["milliseconds"] == 250.0


async def test_what_is_not_known_is_not_told(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, trades: Trades, person: Person
) -> None:
    """The signal and the record are another order's by now, and the opening was never told."""
    await start_analytics(supabase_server)
    (opened, _), (_, closed) = a_story(person), a_story(person)
    await signalled(bus, an_order(order_id=new_id(), user=person.user))
    steps = (await bus.call(rpc.TRADE_TIMELINE, await recorded(trades, opened))).rows
    assert [step.type for step in steps] == ["order", "update", "open"]
    steps = (await bus.call(rpc.TRADE_TIMELINE, await recorded(trades, closed))).rows
    assert [step.type for step in steps] == ["order", "open", "close", "settle"]


async def test_a_trade_is_told_with_the_market_around_it(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, trades: Trades, person: Person
) -> None:
    await start_analytics(supabase_server)
    opened, closed = a_story(person, account_type=AccountType.REAL)
    asked = await recorded(trades, closed)
    context = await bus.call(rpc.TRADE_CONTEXT, asked)
    assert (context.market.candles, context.market.indicators) == ((), None), "no gateway, no candles"
    assert context.user == Trader(user_id=UUID(person.user), email=person.email, full_name="Somebody New")
    assert (context.trade.user_email, context.strategy.id) == (person.email, "mhi")
    signal = context.strategy.signal
    assert (signal.id, signal.direction, signal.confidence, signal.price, signal.timeframe) == (
        opened.order.correlation_id, opened.order.direction.upper(), 71, 1.0841, None,
    )  # fmt: skip
    assert context.trade.bot_mode is None
    followed = await signalled(bus, opened.order)
    told = (await bus.call(rpc.TRADE_CONTEXT, asked)).strategy.signal
    assert (told.at, told.timeframe, told.candle_end) == (followed.at, 60, followed.candle_end)

    queries: list[CandleQuery] = []

    async def candles(query: CandleQuery) -> CandlePage:
        queries.append(query)
        last = int(datetime.now(UTC).timestamp()) // query.size * query.size
        starts = range(last - (query.count - 1) * query.size, last + 1, query.size)
        return CandlePage(candles=tuple(candle(query, start) for start in starts))

    served = await bus.serve("gateway", {CANDLES: candles})
    market = (await bus.call(rpc.TRADE_CONTEXT, asked)).market
    await served.stop()
    assert {(query.active_id, query.size) for query in queries if query.size} == {(76, 60)}
    at = opened.order.at.timestamp()
    assert at - 61 * 60 <= market.candles[0].start < at - 59 * 60
    assert at + 4 * 60 < market.candles[-1].start < at + 7 * 60
    [covering] = [one for one in market.candles if one.start <= at < one.end]
    indicators = market.indicators
    assert indicators is not None
    assert indicators.candle_end == covering.start, "nothing of what came after the decision is in them"
    assert (indicators.rsi14, indicators.bollinger_upper, indicators.ema50) == (
        100.0,
        indicators.close,
        indicators.close,
    )
    assert (indicators.macd, indicators.macd_signal, indicators.macd_histogram) == (0, 0, 0)


def candle(query: CandleQuery, start: int) -> Candle:
    return msgspec.structs.replace(a_candle(active_id=query.active_id, size=query.size), start=start, end=start + 60)


async def test_a_trade_is_told_with_the_mode_of_its_run(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, trades: Trades, person: Person
) -> None:
    """Of several commands of that run what was wanted last before it was decided; other runs do not matter."""
    await bus.ensure(DESIRED)
    decided = datetime.now(UTC) + timedelta(minutes=1)
    story = a_story(person, run="run-2")
    order = msgspec.structs.replace(story[0].order, at=decided)
    asked = await recorded(trades, msgspec.structs.replace(story[0], order=order))
    other = await recorded(trades, a_story(person, run="run-3")[0])
    manual = BotConfig(mode="manual", asset="EURUSD-OTC", account_type=order.account_type)
    for run, config in (("run-1", BotConfig()), ("run-2", BotConfig()), ("run-2", manual)):
        desired = DesiredBot(user=person.user, at=decided, run=run, number=1, running=True, config=config)
        await bus.bucket(DESIRED).put(keys.desired_bot(order.bot), desired)
    await start_analytics(supabase_server)

    async def told() -> bool:
        return (await bus.call(rpc.TRADE, asked)).bot_mode == "manual"

    await until(told)
    rows = (await bus.call(rpc.USER_ACTIVITY, PageOfUser(id=UUID(person.user)))).rows
    assert [row.action for row in rows] == ["bot_configured", "bot_started", "bot_started"], "all that came meanwhile"
    assert (await bus.call(rpc.TRADE, other)).bot_mode is None


@pytest.mark.parametrize("endpoint", [rpc.TRADE_CONTEXT, rpc.TRADE_TIMELINE], ids=lambda endpoint: endpoint.name)
async def test_of_a_trade_that_is_not_there_nothing_is_told(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, endpoint: Endpoint[OfTrade, Any]
) -> None:
    await start_analytics(supabase_server)
    with pytest.raises(RpcError) as refused:
        await bus.call(endpoint, OfTrade(id=2**62))
    assert refused.value.code is ErrorCode.NOT_FOUND
