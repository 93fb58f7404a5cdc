import asyncio

import pytest

from libs.contracts.clock import SystemClock
from libs.service import Service


@pytest.fixture
async def service() -> Service:
    return Service("edge", "edge-1", SystemClock())


async def test_a_process_without_a_bus_says_so(service: Service) -> None:
    with pytest.raises(RuntimeError, match="edge has no bus"):
        _ = service.bus


async def test_a_background_task_that_ends_leaves_the_process_running(service: Service) -> None:
    async def work() -> int:
        return 42

    assert await service.background(work(), "work") == 42
    assert not service._stopping.is_set()


async def test_a_background_task_that_fails_ends_the_process_with_an_error(service: Service) -> None:
    async def work() -> None:
        raise ValueError("broken")

    task = service.background(work(), "work")
    await asyncio.wait([task])
    await asyncio.wait_for(service._stopping.wait(), 1)
    assert service._exit_code == 1


async def test_a_cancelled_background_task_is_no_failure(service: Service) -> None:
    task = service.background(asyncio.Event().wait(), "wait")
    await asyncio.sleep(0)
    await service._end_background()
    assert task.cancelled()
    assert not service._stopping.is_set()


async def test_the_first_reason_to_fail_decides_the_exit_code(service: Service) -> None:
    service.fail("lost the bus")
    service.stop("SIGTERM")
    assert service._exit_code == 1
