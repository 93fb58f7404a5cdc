"""Whatever comes in whatever order: the newest of each position is known, and each closing is told exactly once."""

import asyncio
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from libs.quadcode.declarations import Call
from libs.quadcode.position_book import PositionBook
from libs.quadcode.positions import (
    GET_HISTORY,
    GET_POSITIONS,
    POSITION_CHANGED,
    GetHistory,
    Position,
    PositionKey,
    PositionPage,
)
from tests.unit.quadcode.hand_channel import USER_ID, HandChannel
from tests.unit.quadcode.virtual_time import clock, run

IDS = st.integers(1, 4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), IDS),
        st.tuples(st.just("close"), IDS),
        st.tuples(st.sampled_from(["deliver", "again", "answer", "show", "drop", "connect"]), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 100])),
    ),
    max_size=60,
)


class Books:
    """The broker's own. A list may show what was true a moment ago; `versions`: whether it tells them."""

    def __init__(self, seed: int, *, versions: bool) -> None:
        self.positions: dict[PositionKey, Position] = {}
        self.closings: set[PositionKey] = set()
        self.channel = HandChannel(self.answer, seed)
        self._versions = versions
        self._shown: dict[PositionKey, Position] = {}
        self._lives: Counter[int] = Counter()

    def change(self, slot: int) -> None:
        """Open one, or change the one that is open."""
        key = self._key(slot)
        known = self.positions.get(key)
        self._book(key, "open", (known.version or 0) + 1 if known is not None else 1)

    def close(self, slot: int) -> None:
        key = self._key(slot)
        known = self.positions.get(key)
        if known is not None:
            self._book(key, "closed", (known.version or 0) + 1)
            self.closings.add(key)
            self._lives[slot] += 1

    def show(self) -> None:
        """What is listed is what is so, for now."""
        self._shown = dict(self.positions)

    def answer(self, call: Call[Any, Any], body: Any) -> object:
        if call is GET_POSITIONS:
            listed = [position for position in self._shown.values() if not position.closed]
            return PositionPage(tuple(self._listed(position) for position in listed[body.offset :][: body.limit]))
        assert call is GET_HISTORY
        return self._history(body)

    def _history(self, query: GetHistory) -> PositionPage:
        closed = [position for position in self.positions.values() if position.closed]
        if query.external_id is not UNSET:
            return PositionPage(tuple(each for each in closed if each.external_id == query.external_id))
        newest_first = sorted(closed, key=lambda each: each.close_time or 0, reverse=True)
        assert query.offset is not UNSET
        return PositionPage(tuple(newest_first[query.offset :][:30]))

    def _listed(self, position: Position) -> Position:
        return position if self._versions else _built(position.key, "open", None, position.open_time)

    def _key(self, slot: int) -> PositionKey:
        """Two slots have the same numbers, of different kinds."""
        kind = ("blitz-option", "digital-option")[slot % 2]
        return PositionKey(kind, (slot + 1) // 2 * 1000 + self._lives[slot])

    def _book(self, key: PositionKey, status: str, version: int) -> None:
        position = _built(key, status, version, clock().now().timestamp() * 1000)
        self.positions[key] = position
        self.channel.push(POSITION_CHANGED, position)


def _built(key: PositionKey, status: str, version: int | None, time: float) -> Position:
    return Position(
        id=f"p-{key.external_id}", external_id=key.external_id, user_id=USER_ID, user_balance_id=1, active_id=76,
        instrument_type=key.instrument_type, status=status, invest=Decimal(10), open_quote=1.0, open_time=time,
        close_time=time if status == "closed" else None, version=version,
    )  # fmt: skip


async def _take(books: Books, step: str, value: int) -> None:
    channel = books.channel
    if step == "change":
        books.change(value)
    elif step == "close":
        books.close(value)
    elif step == "deliver":
        channel.deliver_one()
    elif step == "again":
        channel.deliver_one(again=True)
    elif step == "answer":
        channel.reply_to_one()
    elif step == "show":
        books.show()
    elif step == "drop":
        channel.drop()
    elif step == "connect":
        channel.connect()
    elif step == "wait":
        await asyncio.sleep(value)
    channel.tell_time()
    await asyncio.sleep(0.001)


async def _past(books: Books, slots: list[int]) -> None:
    """Each of them has been open and closed, and is open again."""
    for slot in slots:
        books.change(slot)
        books.close(slot)
        books.change(slot)
    books.closings.clear()
    books.show()
    books.channel.drop()
    await asyncio.sleep(1)
    books.channel.connect()


async def _live(before: list[int], steps: list[tuple[str, int]], seed: int, *, versions: bool) -> None:
    books = Books(seed, versions=versions)
    await _past(books, before)
    channel = books.channel
    heard: list[Position] = []
    book = PositionBook(channel, heard.append)
    entering = asyncio.create_task(book.__aenter__())
    while not entering.done():
        channel.reply_to_one()
        await asyncio.sleep(0)
    entering.result()
    for step, value in steps:
        await _take(books, step, value)
    books.show()
    channel.drop()
    await channel.settle()
    await book.__aexit__(None, None, None)
    _judge(books, book, heard, versions=versions)


def _judge(books: Books, book: PositionBook, heard: list[Position], *, versions: bool) -> None:
    closings = Counter(position.key for position in heard if position.closed)
    assert closings == dict.fromkeys(books.closings, 1)
    still_open = {each.key: each for each in books.positions.values() if not each.closed}
    assert set(book.open) == set(still_open)
    if versions:
        assert dict(book.open) == still_open
    told: defaultdict[PositionKey, list[int]] = defaultdict(list)
    for position in heard:
        if position.version is not None:
            told[position.key].append(position.version)
    assert all(numbers == sorted(set(numbers)) for numbers in told.values()), told


@given(st.lists(IDS, unique=True), STEPS, st.integers(0, 2**16), st.booleans())
def test_the_newest_is_known_and_each_closing_is_told_once(
    before: list[int], steps: list[tuple[str, int]], seed: int, versions: bool
) -> None:
    run(_live(before, steps, seed, versions=versions))
