"""Typed calls, their errors, and who may do what."""

import asyncio

import pytest

from libs.bus import Bus, request_id
from libs.bus.errors import BusError
from libs.bus.permissions import _NEEDS, SERVICES
from libs.bus.rpc import Dated
from libs.bus.topology import BOTS, BUCKETS, FEEDS, ORDERS, STREAMS, TRADES
from libs.contracts.crm.stats import CRM_STATS, CrmStats
from libs.contracts.market import Feed, FeedDemand
from libs.contracts.orders import OrderRecord
from libs.contracts.rpc import (
    CANDLES,
    SUBMIT_ORDER,
    CandlePage,
    CandleQuery,
    ErrorCode,
    Nothing,
    RpcError,
    SubmitOrder,
)
from libs.contracts.subjects import rpc, session_rpc
from tests.integration.nats_server import Connect, NatsServer, eventually
from tests.messages import NOW, USER, a_record, a_score, an_opening

STATS = CrmStats(at=NOW, contacts=3, leads=2, customers=1)


async def stats(_: Nothing) -> CrmStats:
    return STATS


async def test_a_call_is_answered_typed(connect: Connect, bus: Bus) -> None:
    server, client = await connect("crm"), await connect("edge")
    await server.serve("crm", {CRM_STATS: stats})
    assert await client.call(CRM_STATS, Nothing()) == STATS


async def test_an_answer_may_say_when_it_was_made(connect: Connect, bus: Bus) -> None:
    async def kept(_: Nothing) -> Dated[CrmStats]:
        return Dated(STATS, NOW)

    server, client = await connect("crm"), await connect("edge")
    served = await server.serve("crm", {CRM_STATS: kept})
    assert await client.call_dated(CRM_STATS, Nothing()) == Dated(STATS, NOW)
    assert await client.call(CRM_STATS, Nothing()) == STATS
    await served.stop()
    await server.serve("crm", {CRM_STATS: stats})
    assert await client.call_dated(CRM_STATS, Nothing()) == Dated(STATS, None)


async def test_nobody_there_is_unavailable_at_once(connect: Connect, bus: Bus) -> None:
    client = await connect("edge")
    with pytest.raises(RpcError) as raised:
        async with asyncio.timeout(1):
            await client.call(CRM_STATS, Nothing())
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_a_call_during_an_outage_is_unavailable_at_once_and_never_sent_later(
    connect: Connect, bus: Bus, nats_server: NatsServer
) -> None:
    asked = 0

    async def count(_: Nothing) -> CrmStats:
        nonlocal asked
        asked += 1
        return STATS

    server, client = await connect("crm"), await connect("edge")
    await server.serve("crm", {CRM_STATS: count})
    nats_server.kill()
    await eventually(lambda: not client.connected)
    with pytest.raises(RpcError) as raised:
        async with asyncio.timeout(1):
            await client.call(CRM_STATS, Nothing())
    assert raised.value.code is ErrorCode.UNAVAILABLE
    nats_server.start()
    await eventually(lambda: client.connected and server.connected)
    await server.ready()  # its endpoints are back, too
    await client.call(CRM_STATS, Nothing())
    assert asked == 1


async def test_no_answer_in_time_is_a_timeout(connect: Connect, bus: Bus) -> None:
    async def slow(_: Nothing) -> CrmStats:
        await asyncio.sleep(0.5)
        return STATS

    server, client = await connect("crm"), await connect("edge")
    await server.serve("crm", {CRM_STATS: slow})
    with pytest.raises(RpcError) as raised:
        await client.call(CRM_STATS, Nothing(), timeout=0.1)
    assert raised.value.code is ErrorCode.TIMEOUT


async def test_a_coded_error_reaches_the_caller(connect: Connect, bus: Bus) -> None:
    async def refuse(_: CandleQuery) -> CandlePage:
        raise RpcError(ErrorCode.ASSET_NOT_FOUND, "no active\r\n4711")

    server, client = await connect("gateway"), await connect("bots")
    await server.serve("gateway", {CANDLES: refuse})
    with pytest.raises(RpcError) as raised:
        await client.call(CANDLES, CandleQuery(active_id=4711, size=60, count=1))
    assert (raised.value.code, raised.value.message) == (ErrorCode.ASSET_NOT_FOUND, "no active 4711")


async def test_a_bug_in_a_handler_is_internal_and_tells_nothing(connect: Connect, bus: Bus) -> None:
    async def broken(_: Nothing) -> CrmStats:
        raise KeyError("secret detail")

    server, client = await connect("crm"), await connect("edge")
    await server.serve("crm", {CRM_STATS: broken})
    with pytest.raises(RpcError) as raised:
        await client.call(CRM_STATS, Nothing())
    assert raised.value.code is ErrorCode.INTERNAL
    assert "secret" not in raised.value.message


async def test_a_wrong_request_is_refused_naming_the_field(connect: Connect, bus: Bus) -> None:
    async def page(_: CandleQuery) -> CandlePage:
        return CandlePage(candles=())

    server, client = await connect("gateway"), await connect("bots")
    await server.serve("gateway", {CANDLES: page})
    with pytest.raises(RpcError, match=r"\$\.count") as raised:
        await client.call(CANDLES, CandleQuery(active_id=1, size=60, count=0))
    assert raised.value.code is ErrorCode.INVALID_REQUEST


async def test_slow_requests_do_not_hold_up_others(connect: Connect, bus: Bus) -> None:
    release = asyncio.Event()
    calls: list[int] = []

    async def first_is_slow(_: Nothing) -> CrmStats:
        calls.append(len(calls))
        if calls[-1] == 0:
            await release.wait()
        return STATS

    server, client = await connect("crm"), await connect("edge")
    served = await server.serve("crm", {CRM_STATS: first_is_slow})
    slow = asyncio.create_task(client.call(CRM_STATS, Nothing()))
    await eventually(lambda: calls)
    assert await client.call(CRM_STATS, Nothing()) == STATS
    release.set()
    assert await slow == STATS
    await served.stop()


async def test_the_request_id_reaches_the_handler(connect: Connect, bus: Bus) -> None:
    seen: list[str] = []

    async def remember(_: Nothing) -> CrmStats:
        seen.append(request_id.get())
        return STATS

    server, client = await connect("crm"), await connect("edge")
    await server.serve("crm", {CRM_STATS: remember})
    token = request_id.set("req-9")
    await client.call(CRM_STATS, Nothing())
    request_id.reset(token)
    assert seen == ["req-9"]


@pytest.mark.parametrize("bound", [False, True], ids=["one of several", "bound to a session"])
async def test_who_stops_answers_what_had_been_sent_there(bound: bool, connect: Connect, bus: Bus) -> None:
    server, begun = await connect(), asyncio.Event()

    async def order(_: SubmitOrder) -> OrderRecord:
        begun.set()
        return a_record()

    where = session_rpc(USER, "order") if bound else rpc("gateway", "order")
    served = await (server.serve_on(where, SUBMIT_ORDER, order) if bound else server.serve("g", {SUBMIT_ORDER: order}))
    large = SubmitOrder(order_id="o" * 10_000)  # so that they come one after the other
    asking = [asyncio.create_task(bus.call(SUBMIT_ORDER, large, subject=where, timeout=3.0)) for _ in range(200)]
    await begun.wait()
    await served.stop()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    # Who asked later is told at once that nobody is there.
    assert {each.code for each in answers if isinstance(each, RpcError)} <= {ErrorCode.UNAVAILABLE}
    assert a_record() in answers


async def test_a_session_bound_endpoint_answers_on_its_users_subject_only(connect: Connect, bus: Bus) -> None:
    gateway, bots = await connect("gateway"), await connect("bots")

    async def order(request: SubmitOrder) -> object:
        return a_record(reason=request.order_id)

    subscription = await gateway.serve_on(session_rpc(USER, "order"), SUBMIT_ORDER, order)  # type: ignore[arg-type]
    record = await bots.call(SUBMIT_ORDER, SubmitOrder(order_id="o-1"), subject=session_rpc(USER, "order"))
    assert record.reason == "o-1"
    await subscription.stop()
    with pytest.raises(RpcError) as raised:
        await bots.call(SUBMIT_ORDER, SubmitOrder(order_id="o-2"), subject=session_rpc(USER, "order"))
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_every_service_can_declare_what_it_uses_and_only_that(connect: Connect, bus: Bus) -> None:
    async def declare(service: str) -> None:
        own, used = await connect(service), _NEEDS[service].uses
        await own.ensure(*used)
        foreign = [declaration for declaration in (*STREAMS, *BUCKETS) if declaration not in used]
        for declaration in foreign[:1]:
            with pytest.raises(BusError):
                await asyncio.wait_for(own.ensure(declaration), timeout=8)

    await asyncio.gather(*map(declare, SERVICES))


async def test_a_service_cannot_write_what_another_owns(connect: Connect, bus: Bus) -> None:
    edge, analytics = await connect("edge"), await connect("analytics")
    heard: list[object] = []

    async def hear(_: str, message: object) -> None:
        heard.append(message)

    await bus.subscribe("trade.>", object, hear)
    with pytest.raises(Exception, match="not confirmed"):
        await edge.append(f"trade.{USER}.opened", an_opening(), id="forged", timeout=0.5)
    order = asyncio.wait_for(analytics.bucket(ORDERS).put("x.y", a_record()), timeout=6)
    score = asyncio.wait_for(edge.bucket(BOTS).put(f"{USER}.pnl", a_score()), timeout=6)
    for outcome in await asyncio.gather(order, score, return_exceptions=True):
        assert isinstance(outcome, Exception)
        assert "not" in str(outcome)
    assert heard == []


async def test_a_service_can_write_what_it_owns(connect: Connect, bus: Bus) -> None:
    gateway, bots = await connect("gateway"), await connect("bots")
    await gateway.append(f"trade.{USER}.opened", an_opening(), id="real")
    await bots.bucket(BOTS).put(f"{USER}.pnl", a_score())
    await bots.bucket(FEEDS).put("bots.b-1", FeedDemand(feeds=(Feed(76, 60),)), ttl=10)
    mirror = await gateway.mirror(FEEDS, ">", FeedDemand)
    assert [entry.value.feeds for _, entry in mirror.items()] == [(Feed(76, 60),)]
    assert TRADES.name == "TRADES"


async def test_a_service_cannot_read_anothers_replies(connect: Connect, bus: Bus) -> None:
    crm = await connect("crm")
    heard: list[object] = []

    async def hear(_: str, message: object) -> None:
        heard.append(message)

    await crm.subscribe("_INBOX_edge.>", object, hear)
    edge, gateway = await connect("edge"), await connect("gateway")

    async def page(_: CandleQuery) -> CandlePage:
        return CandlePage(candles=())

    await gateway.serve("gateway", {CANDLES: page})
    await edge.call(CANDLES, CandleQuery(active_id=1, size=60, count=1))
    await bus.ready()
    assert heard == []
