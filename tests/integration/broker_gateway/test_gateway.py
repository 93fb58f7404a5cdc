"""Sessions, market data and orders over the real protocol."""

import asyncio
from decimal import Decimal

import pytest

from libs.bus.topology import CATALOGUE, FEEDS
from libs.contracts import rpc
from libs.contracts.account import AccountType, SessionState
from libs.contracts.ids import new_id
from libs.contracts.market import Candle, Catalogue, Feed, FeedDemand
from libs.contracts.orders import OptionKind, OrderState, RejectCode
from libs.contracts.rpc import CandleQuery, ErrorCode, Nothing, OfUser, RpcError
from libs.contracts.subjects import candle, closed_candle
from tests.integration.broker_gateway.rig import BROKER_USER, SYSTEM_USER, Rig, until
from tests.integration.nats_server import eventually
from tests.messages import OTHER_USER, USER

pytestmark = pytest.mark.takes(90)

EURUSD = 76


async def demand(rig: Rig, *feeds: Feed) -> None:
    await rig.bus.bucket(FEEDS).put("bots.rig", FeedDemand(feeds=feeds), ttl=10)


async def catalogue_is_there(rig: Rig) -> Catalogue:
    async def there() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await until(there)
    entry = await rig.bus.bucket(CATALOGUE).get("actives", Catalogue)
    assert entry is not None
    return entry.value


async def test_connecting_answers_with_the_balances_and_publishes_them(rig: Rig) -> None:
    await rig.start_gateway()
    report = await rig.connect()
    assert report.status.state is SessionState.CONNECTED
    assert report.balances is not None
    demo = report.balances.of(AccountType.DEMO)
    assert demo is not None
    assert (demo.amount, demo.currency, demo.min_stake) == (Decimal(10000), "USD", Decimal(1))
    assert await rig.session() is SessionState.CONNECTED
    assert await rig.balances() == report.balances


async def test_connecting_again_answers_the_same(rig: Rig) -> None:
    await rig.start_gateway()
    first, second = await rig.connect(), await rig.connect()
    assert second.status.state is SessionState.CONNECTED
    assert first.balances is not None
    assert second.balances is not None
    assert second.balances.balances == first.balances.balances


async def test_users_have_sessions_of_their_own(rig: Rig) -> None:
    await rig.start_gateway()
    mine, other = await rig.connect(), await rig.connect(OTHER_USER, 5151)
    assert mine.balances is not None
    assert other.balances is not None
    assert {balance.id for balance in mine.balances.balances}.isdisjoint(
        balance.id for balance in other.balances.balances
    )
    await rig.bus.call(rpc.DISCONNECT, OfUser(user=OTHER_USER))
    assert await rig.session() is SessionState.CONNECTED


async def test_an_operators_wrong_token_gives_up_nobodys_session(rig: Rig) -> None:
    await rig.start_gateway(PREGAO_BROKER_API_TOKEN="a-token-nobody-knows")
    with pytest.raises(RpcError) as raised:
        await rig.connect()
    assert raised.value.code is ErrorCode.BROKER_UNREACHABLE
    assert await rig.session() is SessionState.CONNECTING


async def test_the_account_of_the_market_data_is_nobodys_to_trade_on(rig: Rig) -> None:
    await rig.start_gateway()
    with pytest.raises(RpcError) as raised:
        await rig.connect(broker_user=SYSTEM_USER)
    assert raised.value.code is ErrorCode.BROKER_REFUSED


async def test_one_broker_account_is_driven_by_one_user_only(rig: Rig) -> None:
    await rig.start_gateway()
    await rig.connect()
    with pytest.raises(RpcError) as raised:
        await rig.connect(OTHER_USER)
    assert raised.value.code is ErrorCode.BROKER_UNREACHABLE
    assert await rig.session() is SessionState.CONNECTED
    assert await rig.balances(OTHER_USER) is None


async def test_two_tabs_that_connect_at_once_are_both_connected(rig: Rig) -> None:
    await rig.start_gateway()
    reports = await asyncio.gather(*(rig.connect() for _ in range(4)))
    assert [report.status.state for report in reports] == [SessionState.CONNECTED] * 4


async def test_another_account_is_taken_only_when_the_first_has_settled(rig: Rig) -> None:
    """Orders are looked for where they were sent, never in the books of another account."""
    await rig.start_gateway()
    await catalogue_is_there(rig)
    await rig.connect()
    order_id = await rig.intend()
    record = await rig.submit(order_id)
    assert record.broker_user_id == str(BROKER_USER)
    report = await rig.connect(broker_user=5152)
    assert report.status.state is SessionState.CONNECTED
    assert (await rig.record(order_id)).state is OrderState.CLOSED
    another = await rig.intend()
    assert (await rig.submit(another)).broker_user_id == "5152"


async def test_a_broker_that_cannot_be_reached_is_said_to_be(rig: Rig) -> None:
    await rig.start_gateway()
    await rig.broker.kill()
    with pytest.raises(RpcError) as raised:
        await rig.connect()
    assert raised.value.code is ErrorCode.BROKER_UNREACHABLE


async def test_the_catalogue_is_the_brokers(rig: Rig) -> None:
    await rig.start_gateway()
    await catalogue_is_there(rig)

    async def complete() -> bool:
        return all(len(active.options) == len(OptionKind) for active in (await catalogue_is_there(rig)).actives)

    await until(complete)  # digital options are asked for one active after another
    catalogue = await catalogue_is_there(rig)
    eurusd = next(active for active in catalogue.actives if active.id == EURUSD)
    assert (eurusd.ticker, eurusd.name, eurusd.category) == ("EURUSD-OTC", "EUR/USD OTC", "forex")
    offered = {offering.kind: offering for offering in eurusd.options}
    assert offered.keys() == set(OptionKind)
    assert {5, 10, 30, 60} <= set(offered[OptionKind.BLITZ].durations)
    assert (offered[OptionKind.BLITZ].sellable, offered[OptionKind.BLITZ].deadtime) == (False, 0)
    for kind, period in {OptionKind.TURBO: 60, OptionKind.BINARY: 900, OptionKind.DIGITAL: 60}.items():
        assert period in offered[kind].durations
        assert offered[kind].sellable
        assert 0 < offered[kind].deadtime < 900
    assert all((offering.payout is None) is (kind is OptionKind.DIGITAL) for kind, offering in offered.items())
    assert all(offering.tradable(catalogue.at) for offering in offered.values()), "it trades all day"
    assert len(catalogue.actives) == 140
    assert await rig.bus.call(rpc.CATALOGUE, Nothing()) == catalogue


async def test_candles_of_a_wanted_feed_are_published_running_and_closed(rig: Rig) -> None:
    running: list[Candle] = []
    closed: list[Candle] = []

    async def shown(_: str, update: Candle) -> None:
        running.append(update)

    async def ended(_: str, update: Candle) -> None:
        closed.append(update)

    feed = Feed(EURUSD, 1)
    await rig.bus.subscribe(candle(feed), Candle, shown)
    await rig.bus.subscribe(closed_candle(feed), Candle, ended)
    await rig.start_gateway()
    await demand(rig, feed)
    await eventually(lambda: len(closed) >= 4, timeout=20)
    ids = [update.id for update in closed]
    assert ids == list(range(ids[0], ids[0] + len(ids))), "each closed candle once, in order"
    assert all(update.at.timestamp() == update.end for update in closed)
    assert [update.at for update in running] == sorted(update.at for update in running)
    page = await rig.bus.call(rpc.CANDLES, CandleQuery(active_id=EURUSD, size=1, count=30))
    history = {update.id: update for update in page.candles}
    assert [history[update.id] for update in closed[:3]] == closed[:3], "history agrees with what was seen live"


async def test_candles_that_closed_while_the_link_was_lost_are_published_although_history_fails_at_first(
    rig: Rig,
) -> None:
    closed: list[int] = []

    async def ended(_: str, update: Candle) -> None:
        closed.append(update.id)

    feed = Feed(EURUSD, 1)
    await rig.bus.subscribe(closed_candle(feed), Candle, ended)
    gateway = await rig.start_gateway()
    await demand(rig, feed)
    await eventually(lambda: closed, timeout=20)
    history = {"request": "quotes-history.get-candles", "status": 5000}
    await rig.broker.fault("reject-order", SYSTEM_USER, count=2, **history)
    await rig.broker.fault("refuse-login", SYSTEM_USER, count=4)
    await rig.broker.fault("drop-connections", SYSTEM_USER)

    async def history_failed_twice() -> bool:
        return len(gateway.logged("gap_not_repaired_yet")) == 2

    await until(history_failed_twice)
    await demand(rig, feed)
    await eventually(lambda: sorted(closed) == list(range(closed[0], max(closed) + 1)), timeout=20)
    assert gateway.logged("gap_left") == []


async def test_a_feed_nobody_wants_any_more_is_released(rig: Rig) -> None:
    running: list[Candle] = []

    async def shown(_: str, update: Candle) -> None:
        running.append(update)

    feed = Feed(EURUSD, 60)
    await rig.bus.subscribe(candle(feed), Candle, shown)
    await rig.start_gateway()
    await demand(rig, feed)
    await eventually(lambda: running, timeout=20)
    await demand(rig)

    async def silent() -> bool:
        seen = len(running)
        await rig.bus.call(rpc.CANDLES, CandleQuery(active_id=EURUSD, size=60, count=1))
        with pytest.raises(TimeoutError):
            await eventually(lambda: len(running) > seen, timeout=2.5)
        return True

    await until(silent)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (CandleQuery(active_id=4711, size=60, count=5), ErrorCode.ASSET_NOT_FOUND),
        (CandleQuery(active_id=EURUSD, size=7, count=5), ErrorCode.INVALID_REQUEST),
        (CandleQuery(active_id=EURUSD, size=60, count=1001), ErrorCode.INVALID_REQUEST),
    ],
)
async def test_candles_that_cannot_be_are_refused(rig: Rig, query: CandleQuery, code: ErrorCode) -> None:
    await rig.start_gateway()
    await catalogue_is_there(rig)
    with pytest.raises(RpcError) as raised:
        await rig.bus.call(rpc.CANDLES, query)
    assert raised.value.code is code


async def test_an_order_is_opened_and_settled_as_the_broker_books_it(rig: Rig) -> None:
    await rig.start_gateway()
    await catalogue_is_there(rig)
    await rig.connect()
    order_id = await rig.intend(stake=Decimal("12.50"))
    record = await rig.submit(order_id)
    assert record.state is OrderState.OPENED, record
    record = await rig.becomes(order_id, OrderState.CLOSED)
    booked = await rig.broker_positions()
    assert record.position is not None
    assert record.settlement is not None
    assert [position["external_id"] for position in booked] == [record.position.position_id]
    assert Decimal(str(booked[0]["pnl_realized"])) == record.settlement.profit
    await eventually(lambda: rig.events == {f"{order_id}.opened": 1, f"{order_id}.closed": 1})

    async def balance_agrees() -> bool:
        theirs = {balance["id"]: balance["amount"] for balance in await rig.broker.balances(5150)}
        ours = await rig.balances()
        return ours is not None and all(theirs[balance.id] == balance.amount for balance in ours.balances)

    await until(balance_agrees)


async def test_a_refusal_is_rejected_in_the_brokers_words(rig: Rig) -> None:
    await rig.start_gateway()
    await catalogue_is_there(rig)
    await rig.connect()
    record = await rig.submit(await rig.intend(stake=Decimal(10001)))
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.REFUSED)
    assert "Insufficient funds" in record.reason
    assert await rig.broker_positions() == []


async def test_what_pays_less_than_the_order_insists_on_is_not_bought(rig: Rig) -> None:
    await rig.start_gateway()
    catalogue = await catalogue_is_there(rig)
    await rig.connect()
    [active] = [active for active in catalogue.actives if active.id == EURUSD]
    blitz = active.option(OptionKind.BLITZ)
    assert blitz is not None
    payout = blitz.payout
    assert payout is not None
    record = await rig.submit(await rig.intend(active_id=EURUSD, min_payout=payout + 1))
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.PAYOUT_TOO_LOW)
    assert await rig.broker_positions() == []
    record = await rig.submit(await rig.intend(active_id=EURUSD, min_payout=payout))
    assert record.position is not None
    assert record.position.payout == payout


async def test_without_a_session_nobody_takes_orders(rig: Rig) -> None:
    await rig.start_gateway()
    with pytest.raises(RpcError) as raised:
        await rig.submit(await rig.intend())
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_an_order_nobody_submitted_is_rejected_when_it_is_late(rig: Rig) -> None:
    order_id = await rig.intend()
    await rig.start_gateway()
    record = await rig.becomes(order_id, OrderState.REJECTED)
    assert record.code == RejectCode.EXPIRED


async def test_disconnecting_stops_new_orders_and_still_settles_the_open_one(rig: Rig) -> None:
    await rig.start_gateway()
    await catalogue_is_there(rig)
    await rig.connect()
    order_id = await rig.intend()
    await rig.submit(order_id)
    await rig.bus.call(rpc.DISCONNECT, OfUser(user=USER))

    async def closed_door() -> bool:
        return await rig.session() is SessionState.DISCONNECTED

    await until(closed_door)
    with pytest.raises(RpcError) as raised:
        await rig.submit(await rig.intend(order_id=new_id()))
    assert raised.value.code is ErrorCode.UNAVAILABLE
    await rig.becomes(order_id, OrderState.CLOSED)
