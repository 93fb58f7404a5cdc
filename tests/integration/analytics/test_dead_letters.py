"""The operator's command, against analytics as it runs."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from libs.bus import Bus, DeadLetter
from libs.contracts import subjects
from libs.contracts.ids import new_id
from libs.contracts.orders import OrderState, TradeClosed
from tests.integration.analytics.books import Books, a_story, until
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.nats_server import NatsServer, eventually
from tests.integration.supabase_server import SupabaseServer
from tests.messages import a_score

Ran = tuple[int, str, str]
Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
def run(nats_server: NatsServer) -> Run:
    """Exit code, output, errors."""

    async def run(*arguments: str) -> Ran:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREGAO_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.analytics.dead_letters", *arguments,
            env=environment | nats_server.environment("admin"),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    return run


async def letters(bus: Bus, count: int) -> list[DeadLetter]:
    found: list[DeadLetter] = []

    async def there() -> bool:
        found[:] = [letter async for letter in bus.dead_letters().all()]
        return len(found) >= count

    await until(there)
    return found


async def test_a_trade_that_the_database_refused_is_booked_once_it_can_be(
    bus: Bus, books: Books, start_analytics: StartAnalytics, supabase_server: SupabaseServer, run: Run
) -> None:
    await start_analytics(supabase_server)
    person, hears = await supabase_server.sign_up(), Hears()
    await bus.subscribe(subjects.ALL_TRADES, TradeClosed, hears)
    (_, in_the_way), (_, wanted) = a_story(person), a_story(person)
    wanted = msgspec.structs.replace(wanted, position=in_the_way.position)
    for closed in (in_the_way, wanted):
        await books.tell(closed)
    [letter] = await letters(bus, 1)

    code, out, _ = await run("list", "--consumer", "analytics")
    assert (code, out.split()[0], out.split()[3]) == (1, str(letter.number), "TRADES")
    code, out, _ = await run("show", str(letter.number))
    assert code == 0
    assert wanted.order.order_id in out
    code, _, err = await run("replay", str(letter.number), "99")
    assert code == 1
    assert f"{letter.number}  stays" in err
    assert "trade_history_position_key" in err
    assert "99  is no dead letter" in err

    await supabase_server.as_service("DELETE", f"/rest/v1/trade_history?order_id=eq.{in_the_way.order.order_id}")
    assert (await run("replay", str(letter.number)))[:2] == (0, f"{letter.number}  handled by analytics\n")
    assert [row.order_id for row in await books.settled(person, 1)] == [wanted.order.order_id]
    await until_announced(books, wanted.order.order_id)
    assert (await run("list"))[0] == 0
    assert [event.order.order_id for event in hears.heard] == [in_the_way.order.order_id, wanted.order.order_id]


class Hears:
    """Somebody else who follows trades."""

    def __init__(self) -> None:
        self.heard: list[TradeClosed] = []

    async def __call__(self, _: str, event: TradeClosed) -> None:
        self.heard.append(event)


async def until_announced(books: Books, order_id: str) -> None:
    await eventually(lambda: len(books.announced_of(order_id)) == 1)


async def test_a_message_that_nobody_can_read_stays_until_it_is_thrown_away(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, run: Run
) -> None:
    await start_analytics(supabase_server)
    for _ in range(2):
        await bus.append(subjects.trade(new_id(), OrderState.CLOSED), a_score(), id=new_id())
    await letters(bus, 2)
    code, _, err = await run("replay", "--all", "--stream", "TRADES")
    assert (code, err.count("stays")) == (1, 2)
    assert (await run("drop", "--all", "--consumer", "somebody"))[0] == 0
    assert len(await letters(bus, 2)) == 2
    assert (await run("drop", "--all"))[1].count("thrown away") == 2
    assert (await run("list"))[:2] == (0, "")


async def test_wrong_arguments_and_settings_are_said(run: Run, nats_server: NatsServer) -> None:
    assert "name the numbers, or --all" in (await run("replay"))[2]
    assert "invalid int value" in (await run("show", "first"))[2]
    nats_server.passwords["admin"] = "wrong-password"
    code, _, err = await run("list")
    assert code == 2
    assert "cannot connect to NATS" in err
