import asyncio

import pytest

from libs.bus.cancellation import Cancellable


async def test_a_cancellation_that_comes_with_the_answer_is_not_lost() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def request() -> str:
        with Cancellable():
            return await asyncio.wait_for(answer, timeout=5)

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    answer.set_result("done")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_comes_with_a_failure_is_not_lost() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def request() -> str:
        with Cancellable():
            return await asyncio.wait_for(answer, timeout=5)

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    answer.set_exception(ConnectionError("gone"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_was_cancelled_may_still_clean_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            with Cancellable():
                await asyncio.sleep(0)
            cleaned.append("released")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["released"]


async def test_what_is_not_cancelled_is_left_alone() -> None:
    with Cancellable():
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="broken"), Cancellable():
        raise ValueError("broken")
