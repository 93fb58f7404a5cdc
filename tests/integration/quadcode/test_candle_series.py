"""A series of candles has no holes, whatever the broker or the connection does in between."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from libs.quadcode import Client
from libs.quadcode.candle_series import CandleSeries
from libs.quadcode.candles import Candle
from libs.quadcode.epoch import NANOSECONDS, seconds
from tests.integration.quadcode.scripted_broker import Frame, ScriptedBroker, event, refusal, reply

SIZE = 60
GET = "quotes-history.get-candles"


class Market:
    """A past of closed candles, id `n` starting `n` minutes after `origin`."""

    def __init__(self, now: int) -> None:
        self.newest = 5000
        self.origin = now - now % SIZE - self.newest * SIZE
        self.missing: set[int] = set()
        """Not given to who asks by time."""

    def candle(self, id_: int) -> dict[str, Any]:
        start = self.origin + id_ * SIZE
        price = 1 + id_ / 1000
        return {
            "id": id_, "from": start, "to": start + SIZE, "open": price, "close": price, "min": price, "max": price,
            "volume": 0,
        }  # fmt: skip

    def live(self, id_: int, ended: bool = False) -> Frame:
        candle = self.candle(id_)
        at = (candle["to"] if ended else candle["from"] + 1) * NANOSECONDS
        return event("quotes", "candle-generated", candle | {"active_id": 76, "size": SIZE, "at": at})

    def answer(self, query: dict[str, Any]) -> list[Frame | bytes]:
        if "from_id" in query:
            ids = [id_ for id_ in range(query["from_id"], query["to_id"] + 1) if id_ <= self.newest]
            return [reply({"candles": [self.candle(id_) for id_ in ids]})]
        past = [self.candle(id_) for id_ in range(1, self.newest + 1) if id_ not in self.missing]
        found = [each for each in past if query.get("from", 0) <= each["from"] <= query["to"]]
        return [reply({"candles": found[-query["count"] :] if "count" in query else found[:1000]})]


@pytest.fixture
def market(client: Client, broker: ScriptedBroker) -> Market:
    market = Market(seconds(client.clock.now()))
    broker.answers[GET] = market.answer
    broker.answers["get-first-candles"] = lambda _: [reply({"candles_by_size": {"60": market.candle(1)}})]
    return market


def ids(series: CandleSeries) -> list[int]:
    return [candle.id for candle in series.candles]


def repairs(broker: ScriptedBroker) -> list[tuple[int, int]]:
    return [(query["from_id"], query["to_id"]) for query in broker.asked(GET) if "from_id" in query]


def ignore(_: Candle) -> None:
    pass


async def test_what_was_loaded_is_not_asked_for_again(client: Client, broker: ScriptedBroker, market: Market) -> None:
    async with client.series(76, SIZE, ignore) as series:
        since = market.candle(3001)["from"]
        assert [candle.id for candle in await series.load(since)] == list(range(3001, 5001))
        asked = len(broker.asked(GET))
        assert len(await series.load(market.candle(4901)["from"])) == 100
        assert len(broker.asked(GET)) == asked
        assert [candle.id for candle in await series.load_before(10)] == list(range(2991, 3001))
        assert len(await series.load(0)) == 5000
        assert ids(series) == list(range(1, 5001))
        assert repairs(broker) == []


async def test_candles_that_go_on_where_the_last_one_ended_need_no_repair(
    client: Client, broker: ScriptedBroker, market: Market
) -> None:
    heard: list[Candle] = []
    async with client.series(76, SIZE, heard.append) as series:
        await broker.push(market.live(10), market.live(10, ended=True), market.live(11), market.live(9))
        await broker.until(lambda: len(heard) == 3)
        assert ids(series) == [10, 11]
        assert series.whole
    assert broker.asked(GET) == []


async def test_a_jump_between_live_candles_is_filled(client: Client, broker: ScriptedBroker, market: Market) -> None:
    heard: list[Candle] = []
    async with client.series(76, SIZE, heard.append) as series:
        await broker.push(market.live(10, ended=True), market.live(14))
        await broker.until(lambda: series.whole and len(series.candles) == 5)
        assert {candle.id for candle in heard} == {10, 11, 12, 13, 14}
        assert repairs(broker) == [(10, 14)]


async def test_what_was_heard_last_is_not_undone_by_an_older_answer(
    client: Client, broker: ScriptedBroker, market: Market
) -> None:
    older = market.candle(12) | {"close": 0.5, "at": market.candle(12)["from"] * NANOSECONDS}
    broker.answers[GET] = lambda _: [reply({"candles": [market.candle(10), market.candle(11), older]})]
    async with client.series(76, SIZE, ignore) as series:
        await broker.push(market.live(10, ended=True), market.live(12))
        await broker.until(lambda: series.whole and len(series.candles) == 3)
        assert series.candles[-1].close == market.candle(12)["close"]


async def test_a_candle_whose_end_was_not_seen_is_asked_for_again(
    client: Client, broker: ScriptedBroker, market: Market
) -> None:
    async with client.series(76, SIZE, ignore) as series:
        await broker.push(market.live(10), market.live(11))
        await broker.until(lambda: repairs(broker) and series.whole)
        assert repairs(broker) == [(10, 11)]
        assert series.candles[0].at is None


async def test_a_hole_in_what_was_loaded_is_filled(client: Client, broker: ScriptedBroker, market: Market) -> None:
    market.missing = {4950, 4951}
    async with client.series(76, SIZE, ignore) as series:
        await series.load(market.candle(4901)["from"])
        await broker.until(lambda: series.whole)
        assert ids(series) == list(range(4901, 5001))
        assert repairs(broker) == [(4949, 4952)]


async def test_a_wide_hole_is_filled_in_parts(client: Client, broker: ScriptedBroker, market: Market) -> None:
    async with client.series(76, SIZE, ignore) as series:
        await broker.push(market.live(100, ended=True), market.live(2600))
        await broker.until(lambda: series.whole and len(series.candles) == 2501)
        assert repairs(broker) == [(1600, 2600), (600, 1600), (100, 600)]
        assert {after - before for before, after in pairwise(ids(series))} == {1}


async def test_what_ended_without_a_connection_is_there_after_it(
    client: Client, broker: ScriptedBroker, market: Market
) -> None:
    async with client.series(76, SIZE, ignore) as series:
        await broker.push(market.live(4000))
        await broker.until(lambda: series.candles)
        await broker.drop()
        await broker.until(lambda: client.connections == 2 and len(series.candles) == 1001)
        assert ids(series) == list(range(4000, 5001))
        assert series.candles[0].at is None
        assert [name for name, _ in broker.subscriptions()].count("candle-generated") == 2


@pytest.mark.parametrize("problem", ["no such time", "out of order"])
async def test_catching_up_does_not_give_up(
    client: Client, broker: ScriptedBroker, market: Market, problem: str
) -> None:
    refused: list[dict[str, Any]] = []

    def once(query: dict[str, Any]) -> list[Frame | bytes]:
        if "from" in query and not refused:
            refused.append(query)
            return [refusal(4220 if problem == "no such time" else 5000, problem)]
        return market.answer(query)

    async with client.series(76, SIZE, ignore) as series:
        await broker.push(market.live(4990, ended=True))
        await broker.until(lambda: series.candles)
        broker.answers[GET] = once
        await broker.drop()
        await broker.until(lambda: series.whole and series.candles[-1].id == 5000)
    assert refused
    assert any("count" in query for query in broker.asked(GET)) is (problem == "no such time")


async def test_an_answer_with_a_hole_is_asked_for_again(client: Client, broker: ScriptedBroker, market: Market) -> None:
    answers: list[Callable[[dict[str, Any]], list[Frame | bytes]]] = [
        lambda _: [reply({"candles": [market.candle(10), market.candle(12)]})],
        lambda _: [refusal(5000, "out of order")],
    ]
    broker.answers[GET] = lambda query: (answers.pop(0) if answers else market.answer)(query)
    async with client.series(76, SIZE, ignore) as series:
        await broker.push(market.live(10, ended=True), market.live(12))
        await broker.until(lambda: series.whole and len(series.candles) == 3)
        assert repairs(broker) == [(10, 12)] * 3
        assert series.given_up == 0


async def test_no_more_than_the_limit_is_kept(client: Client, broker: ScriptedBroker, market: Market) -> None:
    async with client.series(76, SIZE, ignore, limit=3) as series:
        await broker.push(*(market.live(id_, ended=True) for id_ in range(10, 20)))
        await broker.until(lambda: ids(series) == [17, 18, 19])


async def test_without_a_first_candle_the_series_works_all_the_same(
    client: Client, broker: ScriptedBroker, market: Market
) -> None:
    broker.answers["get-first-candles"] = lambda _: [refusal(4000, "unknown")]
    async with client.series(76, SIZE, ignore) as series:
        assert len(await series.load(market.candle(4991)["from"])) == 10
