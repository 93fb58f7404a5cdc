"""Reports are typeset elsewhere, and within a time."""

import asyncio
import os

import psutil
import pytest

from services.analytics.typesetting import Typesetter, TypesettingFailed
from tests.unit.analytics.pdf.reports import a_report


async def test_a_report_comes_back_while_the_loop_goes_on() -> None:
    task = asyncio.create_task(Typesetter().typeset(a_report(200)))
    turns = 0
    while not task.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert (await task).startswith(b"%PDF-")
    assert turns > 10


async def test_one_that_takes_too_long_is_ended() -> None:
    typesetter = Typesetter(seconds=0.05)
    with pytest.raises(TypesettingFailed, match="not typeset"):
        await typesetter.typeset(a_report(2000))
    assert not psutil.Process(os.getpid()).children(), "nothing is left running"
    with pytest.raises(TypesettingFailed):
        await typesetter.typeset(a_report(1))


async def test_nobody_waits_for_one_that_is_not_wanted_any_more() -> None:
    typesetter = Typesetter()
    task = asyncio.create_task(typesetter.typeset(a_report(2000)))
    async with asyncio.timeout(10):
        while not psutil.Process(os.getpid()).children():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.Process(os.getpid()).children()
    assert (await typesetter.typeset(a_report(1))).startswith(b"%PDF-")
