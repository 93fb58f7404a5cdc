"""What is done when told, or by itself."""

import asyncio

import pytest

from services.bot_runtime.deferred import Deferred


class Work:
    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1
        self.begun.set()
        await self.may_end.wait()


async def test_told_in_time_it_is_done_at_once_and_once() -> None:
    work = Work()
    work.may_end.set()
    await Deferred(0.01, work).now()
    await asyncio.sleep(0.03)  # its own time passes
    assert work.times == 1


async def test_it_does_not_wait_for_ever_to_be_told() -> None:
    work = Work()
    deferred = Deferred(0.0, work)
    await work.begun.wait()
    told = asyncio.create_task(deferred.now())
    await asyncio.sleep(0)
    assert not told.done(), "it returns when the work is done"
    work.may_end.set()
    await told
    assert work.times == 1


async def test_what_it_raises_is_raised_to_whoever_tells_it() -> None:
    async def fail() -> None:
        begun.set()
        raise ValueError("no")

    begun = asyncio.Event()
    deferred = Deferred(0.0, fail)
    await begun.wait()
    with pytest.raises(ValueError, match="no"):
        await deferred.now()


async def test_cancelled_it_is_not_done() -> None:
    work = Work()
    deferred = Deferred(0.0, work)
    deferred.cancel()
    await asyncio.sleep(0.01)
    assert work.times == 0
