"""Of tasks that stand and fall together none outlives the first that ends."""

import asyncio

import pytest

from libs.service.together import until_one_ends


async def lasting(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append("lasting")


async def failing() -> None:
    raise ValueError("no more")


async def test_the_others_have_ended_when_one_has() -> None:
    ended: list[str] = []
    await until_one_ends(one=lasting(ended), other=asyncio.sleep(0.01))
    assert ended == ["lasting"]


async def test_what_fails_is_raised() -> None:
    ended: list[str] = []
    with pytest.raises(ValueError, match="no more"):
        await until_one_ends(one=lasting(ended), other=failing())
    assert ended == ["lasting"]


async def test_who_is_cancelled_takes_all_along() -> None:
    ended: list[str] = []
    running = asyncio.create_task(until_one_ends(one=lasting(ended), other=lasting(ended)))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["lasting", "lasting"]
