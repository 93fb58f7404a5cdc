"""Answers that are kept: made once for all who wait, told while they are right, and never later than a trade allows."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from libs.bus.rpc import Dated
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import Period
from libs.contracts.codec import Message
from libs.contracts.figures import FiguresQuery
from libs.contracts.rpc import ErrorCode, RpcError
from services.analytics.answer_cache import AnswerCache
from tests.messages import OTHER_USER, USER
from tests.unit.socket_edge.hand_clock import HandClock


class Number(Message, frozen=True):
    value: int


class Ledger:
    """Counts trades; an answer is what it was when it was begun, and comes when the gate is open."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.trades = 0
        self.made = 0
        self.working = 0
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.cache = AnswerCache(self.clock, most=3)
        handlers = self.cache.around({rpc.DAILY: self.count, rpc.FIGURES: self.count})
        self.daily, self.figures = handlers[rpc.DAILY], handlers[rpc.FIGURES]

    async def count(self, query: Any) -> Any:
        self.made += 1
        self.working += 1
        self.most_at_once = max(self.most_at_once, self.working)
        told = Number(self.trades)
        await self.gate.wait()
        self.working -= 1
        if self.error is not None:
            raise self.error
        return told

    def close(self, user: str = USER) -> None:
        self.trades += 1
        self.cache.touch(user)

    async def told(self, query: Any = None) -> int:
        answer: Dated[Any] = await self.daily(query or Period())
        return int(answer.answer.value)


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_an_answer_is_made_once_and_says_when() -> None:
    ledger = Ledger()
    first = await ledger.daily(Period())
    ledger.clock.advance(5)
    again = await ledger.daily(Period())
    assert first == again
    assert ledger.made == 1
    await ledger.daily(Period(days=7))
    assert ledger.made == 2


async def test_whoever_asks_meanwhile_waits_for_the_same() -> None:
    ledger = Ledger()
    ledger.gate.clear()
    waiting = [asyncio.create_task(ledger.told()) for _ in range(20)]
    await turns()
    waiting[0].cancel()
    ledger.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [0] * 19
    assert ledger.made == 1


async def test_a_stale_answer_is_told_while_it_is_made_anew_and_then_no_more() -> None:
    ledger = Ledger()
    await ledger.told()
    ledger.clock.advance(1)
    ledger.close()
    ledger.gate.clear()
    assert [await ledger.told() for _ in range(3)] == [0, 0, 0], "at once"
    await turns()
    assert ledger.made == 2, "one of them began it anew"
    ledger.clock.advance(0.59)
    assert await ledger.told() == 0
    ledger.clock.advance(0.01)
    waiting = asyncio.create_task(ledger.told())
    await turns()
    assert not waiting.done()
    ledger.gate.set()
    assert await waiting == 1
    assert ledger.made == 2


async def test_what_was_begun_before_a_trade_is_not_waited_for() -> None:
    ledger = Ledger()
    ledger.gate.clear()
    early = asyncio.create_task(ledger.told())
    await turns()
    ledger.clock.advance(0.1)
    ledger.close()
    ledger.clock.advance(0.7)
    late = asyncio.create_task(ledger.told())
    await turns()
    ledger.gate.set()
    assert (await early, await late) == (0, 1)
    assert await ledger.told() == 1
    assert ledger.made == 2


async def test_a_slow_answer_is_not_made_twice_at_once_however_many_ask() -> None:
    ledger = Ledger()
    ledger.gate.clear()
    asked = []
    for _ in range(20):
        asked.append((ledger.trades, asyncio.create_task(ledger.told())))
        await turns()
        ledger.close()
        ledger.clock.advance(1)
    ledger.gate.set()
    for trades, told in asked:
        assert await told >= trades, "what was recorded a second before it was asked for"
    assert ledger.most_at_once == 1
    assert ledger.made == 2


async def test_a_flood_of_trades_makes_it_anew_only_so_often() -> None:
    ledger = Ledger()
    for _ in range(100):
        ledger.clock.advance(0.01)
        ledger.close()
        assert ledger.trades - await ledger.told() <= 60, "never later than 0.6 s"
        await turns()
    assert ledger.made <= 6


async def test_time_makes_it_stale_too() -> None:
    ledger = Ledger()
    await ledger.told()
    ledger.trades += 1
    ledger.clock.advance(9.9)
    assert await ledger.told() == 0
    ledger.clock.advance(1)
    assert await ledger.told() == 1


async def test_only_a_users_own_trades_concern_their_answer() -> None:
    ledger = Ledger()
    query = FiguresQuery(user_id=UUID(USER))
    await ledger.figures(query)
    ledger.close(OTHER_USER)
    ledger.clock.advance(1)
    await ledger.figures(query)
    assert ledger.made == 1
    ledger.close(USER)
    ledger.clock.advance(1)
    await ledger.figures(query)
    assert ledger.made == 2


async def test_failures_are_told_and_not_kept() -> None:
    ledger = Ledger()
    ledger.error = RpcError(ErrorCode.UNAVAILABLE, "the database is away")
    for _ in range(2):
        with pytest.raises(RpcError, match="away"):
            await ledger.told()
    ledger.error = None
    assert await ledger.told() == 0
    assert ledger.made == 3
    ledger.close()
    ledger.error = RpcError(ErrorCode.UNAVAILABLE, "the database is away")
    ledger.clock.advance(0.5)
    assert await ledger.told() == 0, "still right enough"
    await turns()
    ledger.clock.advance(0.5)
    with pytest.raises(RpcError, match="away"):
        await ledger.told()


async def test_only_so_many_are_kept() -> None:
    ledger = Ledger()
    for days in (1, 2, 3, 1, 4):
        await ledger.told(Period(days=days))
    assert ledger.made == 4
    await ledger.told(Period(days=1))
    assert ledger.made == 4
    await ledger.told(Period(days=2))
    assert ledger.made == 5, "what was not asked for longest had gone"
