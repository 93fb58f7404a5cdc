"""What can wait while many bots decide waits, but not for ever."""

import asyncio

import pytest

from libs.contracts.clock import SystemClock
from services.bot_runtime.rush import _CALM, _LONGEST, Rush

CLOCK = SystemClock()


async def test_nobody_waits_when_there_is_none() -> None:
    with pytest.raises(StopIteration):  # without a wait
        Rush(CLOCK).over().send(None)


async def test_it_is_over_when_nobody_has_decided_for_a_while() -> None:
    rush = Rush(CLOCK)
    rush.goes_on()
    last = CLOCK.monotonic()
    waiting = asyncio.create_task(rush.over())
    await asyncio.sleep(_CALM / 2)
    if CLOCK.monotonic() - last < _CALM:  # or this process stood still for longer
        rush.goes_on()
        last = CLOCK.monotonic()
    await waiting
    assert CLOCK.monotonic() - last >= _CALM


async def test_submissions_wait_until_all_have_decided() -> None:
    rush = Rush(CLOCK)
    with pytest.raises(StopIteration):  # without a wait
        rush.offered().send(None)
    with rush.offering():
        with rush.offering():
            waiting = asyncio.create_task(rush.offered())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
    with pytest.raises(ZeroDivisionError), rush.offering():
        raise ZeroDivisionError
    await rush.offered()


async def test_nobody_waits_for_ever() -> None:
    rush = Rush(CLOCK)
    rush.goes_on()
    waiting = asyncio.create_task(rush.over())
    began = CLOCK.monotonic()
    while not waiting.done():
        rush.goes_on()
        await asyncio.sleep(0)
    assert CLOCK.monotonic() - began >= _LONGEST
