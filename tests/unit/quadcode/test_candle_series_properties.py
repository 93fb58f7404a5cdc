"""Whatever candles come, late, twice, in a wrong order or not at all: the series is whole in the end, and true."""

import asyncio
from contextlib import suppress
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from libs.quadcode.candle_repairs import Repairs
from libs.quadcode.candle_series import CandleSeries
from libs.quadcode.candles import (
    CANDLE_GENERATED,
    GET_CANDLES,
    MOST,
    Candle,
    CandleGenerated,
    CandleList,
    Candles,
    FirstCandle,
    FirstCandles,
    GetCandles,
)
from libs.quadcode.declarations import Call
from libs.quadcode.epoch import NANOSECONDS, seconds
from libs.quadcode.errors import NotConnected, RequestFailed
from tests.unit.quadcode.hand_channel import HandChannel
from tests.unit.quadcode.virtual_time import clock, run

ACTIVE, SIZE = 76, 60
PAST = 50
"""Candles that have closed before anything happens."""
FAILURES = 8
"""Fewer than a repair tries."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from([1, 30, 61, 200])),
        st.tuples(st.sampled_from(["deliver", "deliver", "again", "lose"]), st.just(0)),
        st.tuples(st.sampled_from(["answer", "answer", "fail", "lag", "drop", "connect", "before"]), st.just(0)),
        st.tuples(st.just("load"), st.integers(0, PAST + 5)),
        st.tuples(st.just("hide"), st.integers(PAST - 5, PAST + 10)),
    ),
    max_size=60,
)


class Market:
    """The true candles: prices rise by one a second."""

    def __init__(self, seed: int) -> None:
        now = seconds(clock().now())
        self.origin = now - now % SIZE - PAST * SIZE
        self.hidden: set[int] = set()
        """Not given to who asks by time."""
        self.lagging = 0
        """How many of the next answers by id know only the middle of each candle."""
        self.channel = HandChannel(self.answer, seed)
        self._told = now

    def start(self, id_: int) -> int:
        return self.origin + id_ * SIZE

    @property
    def newest(self) -> int:
        """Id of the running candle."""
        return (seconds(clock().now()) - self.origin) // SIZE

    def candle(self, id_: int, until: float) -> Candle:
        """As it is at an epoch second."""
        start = self.start(id_)
        end = start + SIZE
        at = None if until >= end else int(until * NANOSECONDS)
        close = min(until, end)
        return Candle(id_, start, end, start, close, start, close, 0.0, at)

    def tell(self) -> None:
        """An update every half a minute, and the last one of each candle."""
        now = seconds(clock().now())
        while self._told < now:
            self._told = min(now, self._told - self._told % 30 + 30)
            id_ = (self._told - 1 - self.origin) // SIZE
            candle = self.candle(id_, self._told)
            self.channel.push(
                CANDLE_GENERATED,
                CandleGenerated(
                    ACTIVE, SIZE, id_, candle.start, candle.end, self._told * NANOSECONDS, candle.open, candle.close,
                    candle.min, candle.max,
                ),
            )  # fmt: skip

    def answer(self, call: Call[Any, Any], body: Any) -> object:
        if call is GET_CANDLES:
            return CandleList(tuple(self._history(body)))
        return FirstCandles({SIZE: FirstCandle(self.origin)})

    def _history(self, query: GetCandles) -> list[Candle]:
        now = clock().now().timestamp()
        newest = self.newest
        if query.from_id is not UNSET and query.to_id is not UNSET:
            ids = range(query.from_id, min(query.to_id, newest) + 1)
            lagging = min(self.lagging, 1)
            self.lagging -= lagging
            return [self.candle(id_, self.start(id_) + SIZE / 2 if lagging else now) for id_ in ids]
        past = [self.candle(id_, now) for id_ in range(newest + 1) if id_ not in self.hidden]
        since = 0 if query.from_ is UNSET else query.from_
        found = [each for each in past if since <= each.start and (query.to is UNSET or each.start <= query.to)]
        return found[:MOST] if query.count is UNSET else found[-query.count :]


class Driver:
    def __init__(self, market: Market, series: CandleSeries) -> None:
        self._market = market
        self._series = series
        self._failures = 0
        self._loading: list[asyncio.Task[None]] = []

    async def take(self, step: str, value: int) -> None:
        channel = self._market.channel
        simple = {
            "deliver": channel.deliver_one,
            "lose": channel.lose_one,
            "answer": channel.reply_to_one,
            "drop": channel.drop,
            "connect": channel.connect,
        }
        if step in simple:
            simple[step]()
        elif step == "again":
            channel.deliver_one(again=True)
        elif step == "hide":
            self._market.hidden.add(value)
        elif step in ("fail", "lag") and self._failures < FAILURES:
            self._failures += 1
            if step == "fail":
                channel.fail_one()
            else:
                self._market.lagging += 1
        elif step in ("load", "before"):
            self._loading.append(asyncio.create_task(self._load(step, value)))
        elif step == "pass":
            await asyncio.sleep(value)
            self._market.tell()
        channel.tell_time()
        await asyncio.sleep(0.001)

    async def _load(self, step: str, value: int) -> None:
        with suppress(NotConnected, RequestFailed):
            if step == "load":
                await self._series.load(self._market.origin + value * SIZE)
            else:
                await self._series.load_before(10)

    async def end(self) -> int:
        """Id of the candle that ran at the last connection."""
        await self._market.channel.settle()
        self._market.channel.drop()
        newest = self._market.newest
        self._market.hidden.discard(newest)
        await self._market.channel.settle()
        await asyncio.gather(*self._loading)
        return newest


async def _live(steps: list[tuple[str, int]], seed: int) -> None:
    market = Market(seed)
    channel = market.channel
    channel.tell_time()
    candles = Candles(channel)
    heard: dict[int, Candle] = {}

    def hear(candle: Candle) -> None:
        known = heard.get(candle.id)
        regressed.extend([candle] if known is not None and _age(candle) < _age(known) else [])
        heard[candle.id] = candle

    regressed: list[Candle] = []
    series = CandleSeries(channel, candles, Repairs(candles, jitter=lambda: 0.0), ACTIVE, SIZE, hear)
    entering = asyncio.create_task(series.__aenter__())
    while not entering.done():
        channel.reply_to_one()
        await asyncio.sleep(0)
    driver = Driver(market, series)
    for step, value in steps:
        await driver.take(step, value)
        _judge_order(series)
    newest = await driver.end()
    _judge(series, market, newest)
    assert {candle.id: candle for candle in series.candles} == heard
    assert regressed == []
    await series.__aexit__(None, None, None)


def _judge_order(series: CandleSeries) -> None:
    ids = [candle.id for candle in series.candles]
    assert all(before < after for before, after in pairwise(ids)), ids


def _age(candle: Candle) -> float:
    return float("inf") if candle.at is None else candle.at


def _judge(series: CandleSeries, market: Market, newest: int) -> None:
    _judge_order(series)
    assert (series.whole, series.given_up) == (True, 0)
    ids = [candle.id for candle in series.candles]
    assert not ids or ids == list(range(ids[0], newest + 1))
    for candle in series.candles[:-1]:
        true = market.candle(candle.id, candle.end)
        assert (candle.open, candle.close, candle.max) == (true.open, true.close, true.max)


@given(STEPS, st.integers(0, 2**16))
def test_a_series_is_whole_and_true_in_the_end(steps: list[tuple[str, int]], seed: int) -> None:
    run(_live(steps, seed))
