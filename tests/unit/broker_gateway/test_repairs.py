"""Missing candles are asked for until history has them, each is stored once, and those of a feed in order."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import cast

from libs.contracts.market import Candle, Feed
from services.broker_gateway.broker import BrokerUnavailable, Market
from services.broker_gateway.repairs import Repairs
from tests.messages import a_candle
from tests.unit.quadcode.virtual_time import clock, run

FEED, OTHER = Feed(1, 60), Feed(2, 60)
_MOST = 1000
"""Difference of the ids of one request."""
_LONG = 600


class History:
    """Of a broker that refuses more than it gives at once, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, tuple[int, int]]] = []
        self.failing: dict[Feed, int] = {}
        """How many requests will fail."""
        self.newest = 10**9
        """The last one that has ended."""

    async def candles(self, feed: Feed, *, ids: tuple[int, int]) -> list[Candle]:
        self.asked.append((clock().time(), ids))
        await asyncio.sleep(0.1)
        if ids[1] - ids[0] > _MOST:
            raise BrokerUnavailable("4220")
        if self.failing.get(feed, 0) > 0:
            self.failing[feed] -= 1
            raise BrokerUnavailable("no answer")
        return [_candle(feed, number, ended=number <= self.newest) for number in range(ids[0], ids[1] + 1)]


def _candle(feed: Feed, number: int, *, ended: bool) -> Candle:
    end = datetime.fromtimestamp((number + 1) * feed.size, UTC)
    return a_candle(
        active_id=feed.active_id,
        id=number,
        start=number * feed.size,
        end=(number + 1) * feed.size,
        at=end if ended else end - timedelta(seconds=1),
    )


async def repaired(history: History, *gaps: tuple[Feed, tuple[int, int]]) -> list[Candle]:
    """What is stored of it, after as long as anybody might wait."""
    stored: list[Candle] = []

    async def store(candle: Candle) -> None:
        stored.append(candle)
        await asyncio.sleep(0)

    repairs = Repairs(cast(Market, history), store)
    running = asyncio.create_task(repairs.run())
    for feed, missing in gaps:
        repairs.ask(feed, missing)
    await asyncio.sleep(_LONG)
    running.cancel()
    return stored


def numbers(stored: list[Candle], feed: Feed = FEED) -> list[int]:
    return [candle.id for candle in stored if candle.feed == feed]


def test_what_fails_is_asked_for_again_and_again_with_ever_longer_pauses() -> None:
    async def scene() -> None:
        history = History()
        history.failing[FEED] = 5
        assert numbers(await repaired(history, (FEED, (5, 9)))) == [5, 6, 7, 8, 9]
        times = [time for time, _ in history.asked]
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert len(pauses) == 5
        assert pauses == sorted(pauses)

    run(scene())


def test_it_is_given_up_in_the_end_and_the_next_gap_is_repaired() -> None:
    async def scene() -> None:
        history = History()
        history.failing[FEED] = 8
        assert numbers(await repaired(history, (FEED, (5, 9)), (FEED, (20, 21)))) == [20, 21]

    run(scene())


def test_more_than_the_broker_gives_at_once_is_asked_for_in_pieces() -> None:
    async def scene() -> None:
        history = History()
        history.failing[FEED] = 1
        missing = (7, 7 + 2 * _MOST + 5)
        assert numbers(await repaired(history, (FEED, missing))) == list(range(missing[0], missing[1] + 1))

    run(scene())


def test_gaps_of_a_feed_are_repaired_in_order_and_no_other_feed_waits() -> None:
    async def scene() -> None:
        history = History()
        history.failing[FEED] = 4
        stored = await repaired(history, (FEED, (5, 6)), (FEED, (8, 9)), (OTHER, (1, 2)))
        assert numbers(stored) == [5, 6, 8, 9]
        assert numbers(stored[:2], OTHER) == [1, 2]

    run(scene())


def test_one_that_has_not_ended_in_the_history_is_not_told_closed() -> None:
    async def scene() -> None:
        history = History()
        history.newest = 8
        assert numbers(await repaired(history, (FEED, (5, 9)))) == [5, 6, 7, 8]
        assert len(history.asked) > 1, "it may end yet"

    run(scene())
