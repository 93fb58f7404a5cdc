import asyncio

import pytest

import libs.service.health
from libs.service import Health


async def test_a_process_that_has_not_started_is_not_ready() -> None:
    assert await Health().failing() == ["startup"]


@pytest.fixture
def health() -> Health:
    health = Health()
    health.started = True
    return health


async def test_without_dependencies_a_started_process_is_ready(health: Health) -> None:
    assert await health.failing() == []


async def test_failing_dependencies_are_named(health: Health) -> None:
    async def answers() -> bool:
        return True

    async def refuses() -> bool:
        return False

    def breaks() -> bool:
        raise OSError("no route")

    health.add("database", answers)
    health.add("broker", refuses)
    health.add("mail", breaks)
    health.add("bus", lambda: True)
    assert await health.failing() == ["broker", "mail"]


async def test_a_check_that_hangs_fails(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libs.service.health, "_CHECK_TIMEOUT", 0.01)

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    health.add("database", hangs)
    assert await health.failing() == ["database"]


async def test_a_dependency_that_recovers_is_no_longer_named(health: Health) -> None:
    connected = False
    health.add("bus", lambda: connected)
    assert await health.failing() == ["bus"]
    connected = True
    assert await health.failing() == []
