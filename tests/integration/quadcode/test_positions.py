import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from libs.quadcode import Client
from libs.quadcode.positions import InstrumentType, Position, PositionKey
from tests.integration.quadcode.scripted_broker import USER_ID, Frame, ScriptedBroker, event, reply

OPENED = datetime(2026, 9, 21, 12, 0, tzinfo=UTC)
GET_POSITIONS = "portfolio.get-positions"
GET_HISTORY = "portfolio.get-history-positions"


def position(number: int, **changes: object) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": f"c0ffee-{number}", "external_id": number, "user_id": USER_ID, "user_balance_id": 900004,
        "active_id": 76, "instrument_type": "blitz-option", "source": "binary-options", "status": "open",
        "invest": 25, "open_quote": 1.08415, "open_time": OPENED.timestamp() * 1000, "version": 1,
        "expected_profit": 45.5, "pnl": 0,
        "raw_event": {"binary_options_option_changed1": {
            "order_ids": [number], "direction": "put", "expiration_time": int(OPENED.timestamp()) + 10}},
    }  # fmt: skip
    return record | changes


def closed(number: int, at: datetime, **changes: object) -> dict[str, Any]:
    end = {"status": "closed", "close_time": at.timestamp() * 1000, "close_profit": 45.5, "close_quote": 1.08,
           "close_reason": "win", "pnl_realized": 20.5, "version": 2}  # fmt: skip
    return position(number, **(end | changes))


def changed(record: dict[str, Any]) -> Frame:
    return event("portfolio", "position-changed", record)


async def test_every_page_of_open_positions_is_read(client: Client, broker: ScriptedBroker) -> None:
    books = [position(number) for number in range(75)]
    broker.answers[GET_POSITIONS] = lambda body: [
        reply({"limit": 30, "total": 75, "positions": books[body["offset"] : body["offset"] + 30]})
    ]
    found = await client.positions.open([InstrumentType.BLITZ_OPTION])
    assert [each.external_id for each in found] == list(range(75))
    assert broker.asked(GET_POSITIONS)[1] == {"instrument_types": ["blitz-option"], "limit": 30, "offset": 30}


async def test_a_position_that_closes_between_pages_hides_no_other(client: Client, broker: ScriptedBroker) -> None:
    books = [position(number) for number in range(40)]

    def page(body: dict[str, int]) -> list[Frame | bytes]:
        shown = books[body["offset"] : body["offset"] + 30]
        if len(books) == 40:
            del books[0]
        return [reply({"limit": 30, "positions": shown})]

    broker.answers[GET_POSITIONS] = page
    found = {each.external_id for each in await client.positions.open()}
    assert found >= set(range(1, 40))


async def test_a_server_with_smaller_pages_is_read_to_the_end(client: Client, broker: ScriptedBroker) -> None:
    books = [position(number) for number in range(25)]
    broker.answers[GET_POSITIONS] = lambda body: [
        reply({"limit": 10, "positions": books[body["offset"] : body["offset"] + 10]})
    ]
    assert len(await client.positions.open()) == 25


async def test_history_is_read_back_to_the_time_asked_for(client: Client, broker: ScriptedBroker) -> None:
    books = [closed(number, OPENED - timedelta(seconds=number)) for number in range(300)]
    broker.answers[GET_HISTORY] = lambda body: [
        reply({"limit": 30, "positions": books[body["offset"] : body["offset"] + 30]})
    ]
    await broker.push({"name": "timeSync", "msg": OPENED.timestamp() * 1000})
    await broker.until(lambda: client.clock.now() < OPENED + timedelta(minutes=1))
    found = await client.positions.history(OPENED - timedelta(seconds=70))
    assert [each.external_id for each in found] == list(range(71))
    asked = broker.asked(GET_HISTORY)
    assert [body["offset"] for body in asked] == [0, 30, 60, 90]
    assert {(body["user_id"], body["end"]) for body in asked} == {(USER_ID, int(OPENED.timestamp()) + 1)}


async def test_one_closed_position_is_looked_up_by_its_id(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[GET_HISTORY] = lambda body: [
        reply({"limit": 30, "positions": [closed(7, OPENED)] if body["external_id"] == 7 else []})
    ]
    found = await client.positions.closed(PositionKey("blitz-option", 7))
    assert found is not None
    assert found.profit == Decimal("20.5")
    assert await client.positions.closed(PositionKey("blitz-option", 8)) is None
    assert broker.asked(GET_HISTORY)[0] == {"instrument_types": ["blitz-option"], "external_id": 7}


async def test_one_kind_of_position_hides_no_other_with_its_number(client: Client, broker: ScriptedBroker) -> None:
    kinds = {"blitz-option", "digital-option", "marginal-forex"}
    broker.answers[GET_POSITIONS] = lambda _: [
        reply({"limit": 30, "positions": [position(7, instrument_type=kind) for kind in kinds]})
    ]
    broker.answers[GET_HISTORY] = lambda _: [
        reply({"limit": 30, "positions": [closed(7, OPENED, instrument_type=kind) for kind in kinds]})
    ]
    assert {each.instrument_type for each in await client.positions.open()} == kinds
    assert {each.instrument_type for each in await client.positions.history(OPENED)} == kinds
    for kind in kinds:
        found = await client.positions.closed(PositionKey(kind, 7))
        assert found is not None
        assert found.instrument_type == kind


async def test_changes_of_this_user_are_subscribed_to(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    await client.positions.watch(heard.append)
    assert broker.subscriptions() == [("portfolio.position-changed", {"user_id": USER_ID})]
    await broker.push(changed(position(1, user_id=1)), changed(position(2)))
    await broker.until(lambda: heard)
    assert [each.external_id for each in heard] == [2]


async def test_what_is_older_than_what_was_told_is_not_told(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    await client.positions.watch(heard.append)
    end = closed(1, OPENED)
    await broker.push(changed(position(1)), changed(end), changed(end), changed(position(1)), changed(position(2)))
    await broker.until(lambda: len(heard) >= 3)
    assert [(each.external_id, each.status) for each in heard] == [(1, "open"), (1, "closed"), (2, "open")]


async def test_versions_are_those_of_one_kind(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    await client.positions.watch(heard.append)
    digital = {"instrument_type": "digital-option"}
    await broker.push(
        changed(position(1, version=9)), changed(position(1, **digital)), changed(closed(1, OPENED, **digital))
    )
    await broker.until(lambda: len(heard) == 3)
    assert [(each.instrument_type, each.version) for each in heard] == [
        ("blitz-option", 9),
        ("digital-option", 1),
        ("digital-option", 2),
    ]


async def test_no_change_is_lost_on_a_slow_reader(client: Client, broker: ScriptedBroker) -> None:
    async with client.positions.stream() as changes:
        await broker.push(*(changed(position(1, version=number)) for number in range(1, 301)))
        versions = [(await anext(changes)).version for _ in range(300)]
    assert versions == list(range(1, 301))


async def test_a_reader_that_is_hopelessly_late_makes_the_client_reconnect(
    client: Client, broker: ScriptedBroker
) -> None:
    async with client.positions.stream():
        frames = [changed(position(1, version=number)) for number in range(1, 10_002)]
        pushing = asyncio.create_task(broker.push(*frames))
        await broker.until(lambda: client.connections == 2, timeout=20)
        await asyncio.gather(pushing, return_exceptions=True)
    assert "not read" in str(client.failure)
