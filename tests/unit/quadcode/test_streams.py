"""Buffers between a reader that never waits and a listener that may."""

import asyncio
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from libs.quadcode.streams import Complete, Conflated

Update = tuple[int, int]


def _key(update: Update) -> int:
    return update[0]


async def _drain(stream: Conflated[Update] | Complete[Update], count: int) -> list[Update]:
    return [await asyncio.wait_for(anext(stream), 1) for _ in range(count)]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_only_the_newest_of_each_is_kept_in_the_order_they_came(keys: list[int]) -> None:
    async def scenario() -> None:
        stream: Conflated[Update] = Conflated(_key, limit=6)
        for number, key in enumerate(keys):
            stream.push((key, number))
        order = list(dict.fromkeys(keys))
        newest = {key: number for number, key in enumerate(keys)}
        assert await _drain(stream, len(order)) == [(key, newest[key]) for key in order]
        assert stream.dropped == 0

    asyncio.run(scenario())


async def test_more_keys_than_fit_push_out_the_oldest() -> None:
    stream: Conflated[Update] = Conflated(_key, limit=3)
    for key in range(5):
        stream.push((key, 0))
    assert stream.dropped == 2
    assert [key for key, _ in groupby(await _drain(stream, 3), _key)] == [2, 3, 4]


async def test_a_reader_waits_for_what_comes() -> None:
    conflated: Conflated[Update] = Conflated(_key, limit=3)
    complete: Complete[Update] = Complete(3, lambda: None)
    for stream in (conflated, complete):
        reading = asyncio.create_task(_drain(stream, 2))
        await asyncio.sleep(0)
        stream.push((1, 1))
        await asyncio.sleep(0)
        stream.push((1, 2))
        assert await reading == [(1, 1), (1, 2)]


async def test_a_complete_stream_keeps_everything_in_order() -> None:
    stream: Complete[Update] = Complete(100, lambda: None)
    for number in range(100):
        stream.push((1, number))
    assert await _drain(stream, 100) == [(1, number) for number in range(100)]


async def test_a_complete_stream_that_is_full_says_so_and_starts_afresh() -> None:
    overflows: list[str] = []
    stream: Complete[Update] = Complete(3, lambda: overflows.append("full"))
    for number in range(5):
        stream.push((1, number))
    assert overflows == ["full"]
    assert await _drain(stream, 1) == [(1, 4)]
