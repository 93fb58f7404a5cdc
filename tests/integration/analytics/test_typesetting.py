"""Reports are typeset elsewhere, and within a time."""

import asyncio
from contextlib import suppress

import psutil
import pytest

from services.analytics.typesetting import Typesetter, TypesettingFailed
from tests.unit.analytics.pdf.reports import a_report


def typesetters() -> list[psutil.Process]:
    """That this process has started; a database server may be another child."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "services.analytics.pdf" in child.cmdline():
                found.append(child)
    return found


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
    assert not typesetters(), "nothing is left running"
    with pytest.raises(TypesettingFailed):
        await typesetter.typeset(a_report(1))


async def test_nobody_waits_for_one_that_is_not_wanted_any_more() -> None:
    typesetter = Typesetter()
    task = asyncio.create_task(typesetter.typeset(a_report(2000)))
    async with asyncio.timeout(10):
        while not typesetters():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not typesetters()
    assert (await typesetter.typeset(a_report(1))).startswith(b"%PDF-")
