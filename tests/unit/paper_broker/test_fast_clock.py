from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker.fast_clock import FastClock, platform_clock
from services.paper_broker.storage import IN_MEMORY, Storage
from tests.unit.paper_broker.world import START, USER, HandClock, World


def test_time_passes_as_many_times_as_fast() -> None:
    world = HandClock()
    clock = platform_clock(Storage(IN_MEMORY), world, 60)
    began, monotonic = clock.now(), clock.monotonic()
    world.advance(2.5)
    assert began == START
    assert clock.now() - began == timedelta(seconds=150)
    assert clock.monotonic() - monotonic == pytest.approx(150)


def test_a_platform_that_was_never_fast_has_the_time_of_the_world() -> None:
    world = HandClock()
    assert platform_clock(Storage(IN_MEMORY), world, 1) is world


def test_the_time_never_goes_back_while_the_platform_runs() -> None:
    world = HandClock()
    clock = platform_clock(Storage(IN_MEMORY), world, 10)
    world.advance(5)
    latest = clock.now()
    world.advance(-3)
    assert clock.now() == latest
    world.advance(4)
    assert clock.now() == latest + timedelta(seconds=10)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 1000)), min_size=1, max_size=6))
def test_a_restart_never_goes_back_and_then_time_passes_at_the_new_speed(runs: list[tuple[int, int]]) -> None:
    storage, world = Storage(IN_MEMORY), HandClock()
    latest = START
    for speed, seconds in runs:
        clock = platform_clock(storage, world, speed)
        assert clock.now() >= latest or not isinstance(clock, FastClock)
        began = clock.now()
        world.advance(seconds)
        latest = clock.now()
        assert latest - began == timedelta(seconds=seconds * speed)


def test_time_passes_while_the_platform_is_down(tmp_path: Path) -> None:
    world, path = HandClock(), str(tmp_path / "broker.sqlite")
    first = Storage(path)
    before = platform_clock(first, world, 60).now()
    first.close()
    world.advance(10)
    assert platform_clock(Storage(path), world, 1).now() - before == timedelta(seconds=600)


def test_an_option_of_a_minute_is_settled_after_a_second() -> None:
    world = World(paper_clock_speed=60)
    position = world.broker.options.buy(USER, world.order(expiration_size=60))
    world.clock.advance(0.9)
    assert world.broker.options.settle() == []
    world.clock.advance(0.2)
    assert [closed.id for closed in world.broker.options.settle()] == [position.id]


def test_sessions_end_in_the_time_of_the_platform() -> None:
    world = World(paper_clock_speed=60, paper_session_seconds=120)
    ssid = world.broker.sessions.create(USER)
    world.clock.advance(1.9)
    assert world.broker.sessions.find(ssid) is not None
    world.clock.advance(0.2)
    assert world.broker.sessions.find(ssid) is None
