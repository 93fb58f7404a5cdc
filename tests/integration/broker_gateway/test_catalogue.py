"""What the catalogue says of a broker that does not tell everything."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from libs.contracts.clock import SystemClock
from libs.contracts.orders import OptionKind
from libs.quadcode import Client, FixedSessionId
from services.broker_gateway.quadcode_catalogue import QuadcodeCatalogue
from tests.integration.quadcode.scripted_broker import Frame, ScriptedBroker, refusal, reply
from tests.ports import free_port

EURUSD, GBPUSD, USDJPY = 76, 81, 85
HOURS = [[0, 4_000_000_000]]
OFFERS = {
    "binary": {"actives": []},
    "turbo": {"actives": []},
    "blitz": {
        "actives": [
            {
                "id": active_id,
                "ticker": f"T{active_id}",
                "schedule": HOURS,
                "option": {"profit": {"commission": 14}, "expiration_times": [30]},
            }
            for active_id in (EURUSD, GBPUSD, USDJPY)
        ]
    },
}
INSTRUMENT = {"index": 1, "period": 60, "expiration": 4_000_000_000, "deadtime": 10, "data": []}


def but(active_id: int, bad: Frame, good: Callable[[int], object], key: str) -> Callable[[Any], list[Frame | bytes]]:
    """An answer for every active that is asked for, but a bad one for that active."""
    return lambda body: [bad if body[key] == active_id else reply(good(body[key]))]


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    broker = ScriptedBroker()
    broker.answers |= {
        "binary-options.get-initialization-data": lambda _: [reply(OFFERS)],
        "digital-option-instruments.get-underlying-list": lambda body: [
            reply(
                {
                    "type": "digital-option",
                    "underlying": [
                        {"active_id": active_id, "is_suspended": active_id == USDJPY, "schedule": []}
                        for active_id in (EURUSD, GBPUSD, USDJPY)
                        if not (body["filter_suspended"] and active_id == USDJPY)
                    ],
                }
            )
        ],
        "get-active": but(GBPUSD, refusal(4040, "no such active"), named, "id"),
        "digital-option-instruments.get-instruments": but(
            EURUSD, reply({"instruments": "none"}), instruments, "asset_id"
        ),
    }
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def catalogue(broker: ScriptedBroker) -> AsyncIterator[QuadcodeCatalogue]:
    client = Client(broker.url, FixedSessionId("sim-1"), clock=SystemClock(), jitter=lambda: 0.0)
    client.start()
    await client.wait_connected(5)
    yield QuadcodeCatalogue(client, f"http://127.0.0.1:{free_port()}")
    await client.close()


def named(active_id: int) -> object:
    return {"id": active_id, "name": f"T{active_id}", "type": "forex"}


def instruments(active_id: int) -> object:
    return {"instruments": [{**INSTRUMENT, "asset_id": active_id}]}


async def test_an_active_that_the_broker_does_not_describe_is_left_out(catalogue: QuadcodeCatalogue) -> None:
    actives = await catalogue.read()
    assert [(active.id, active.ticker, active.name) for active in actives] == [
        (EURUSD, "T76", "T76"), (USDJPY, "T85", "T85"),
    ]  # fmt: skip


async def test_digital_options_of_one_active_that_are_not_told_do_not_hide_those_of_others(
    catalogue: QuadcodeCatalogue,
) -> None:
    await catalogue.read()
    assert await catalogue.learn()
    eurusd, usdjpy = await catalogue.read()
    assert eurusd.option(OptionKind.DIGITAL) is None
    digital = usdjpy.option(OptionKind.DIGITAL)
    assert digital is not None
    assert (digital.durations, digital.deadtime) == ((60,), 10)
    assert not await catalogue.learn(), "nothing new is known, so there is nothing to read again"


async def test_what_is_suspended_is_told_as_suspended(catalogue: QuadcodeCatalogue) -> None:
    await catalogue.read()
    await catalogue.learn()
    suspended = {active.id: active.options[-1].suspended for active in await catalogue.read()}
    assert suspended == {EURUSD: False, USDJPY: True}
