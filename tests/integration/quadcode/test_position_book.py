from typing import Any

import pytest

from libs.quadcode import Client
from libs.quadcode.position_book import PositionBook, PositionState
from libs.quadcode.positions import Position, PositionKey
from tests.integration.quadcode.scripted_broker import USER_ID, Frame, ScriptedBroker, event, reply

OPEN = "portfolio.get-positions"
HISTORY = "portfolio.get-history-positions"
STATES = "portfolio.subscribe-positions"


def record(external_id: int, status: str = "open", **fields: object) -> dict[str, Any]:
    return {
        "id": f"c0ffee-{external_id}", "external_id": external_id, "user_id": USER_ID, "user_balance_id": 900004,
        "active_id": 76, "instrument_type": "blitz-option", "status": status, "invest": 25, "open_quote": 1.08,
        "open_time": 1790003500120, **fields,
    }  # fmt: skip


def key(external_id: int, instrument_type: str = "blitz-option") -> PositionKey:
    return PositionKey(instrument_type, external_id)


def page(*records: dict[str, Any]) -> list[Frame | bytes]:
    return [reply({"limit": 30, "positions": list(records)})]


def changed(*args: Any, **fields: Any) -> Frame:
    return event("portfolio", "position-changed", record(*args, **fields))


@pytest.fixture(autouse=True)
def _nothing_closed(broker: ScriptedBroker) -> None:
    broker.answers[HISTORY] = lambda _: page()


async def test_what_was_open_is_known_and_changes_are_told(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    broker.answers[OPEN] = lambda _: page(record(1))
    async with PositionBook(client, heard.append) as book:
        assert set(book.open) == {key(1)}
        await broker.push(changed(2, version=1), changed(1, "closed", version=2, close_reason="win"))
        await broker.until(lambda: len(heard) == 2)
        assert [(position.external_id, position.status) for position in heard] == [(2, "open"), (1, "closed")]
        assert set(book.open) == {key(2)}


async def test_what_happened_without_a_connection_is_told_once(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    broker.answers[OPEN] = lambda _: page(record(1), record(2))
    closed = record(1, "closed", version=2, pnl_realized=20.5)
    broker.answers[HISTORY] = lambda body: page(*[closed for _ in range(body.get("external_id") == 1)])
    async with PositionBook(client, heard.append) as book:
        broker.answers[OPEN] = lambda _: page(record(2), record(3))
        await broker.drop()
        await broker.until(lambda: len(heard) == 2)
        assert [(position.external_id, position.status) for position in heard] == [(3, "open"), (1, "closed")]
        assert set(book.open) == {key(2), key(3)}
        await broker.push(event("portfolio", "position-changed", closed), changed(4, version=1))
        await broker.until(lambda: key(4) in book.open)
        assert [position.external_id for position in heard] == [3, 1, 4]


async def test_a_closing_that_is_not_in_the_history_yet_is_looked_for_again(
    client: Client, broker: ScriptedBroker
) -> None:
    heard: list[Position] = []
    broker.answers[OPEN] = lambda _: page(record(1))
    broker.answers[HISTORY] = lambda _: page()
    async with PositionBook(client, heard.append) as book:
        broker.answers[OPEN] = lambda _: page()
        await broker.drop()
        await broker.until(lambda: broker.asked(HISTORY))
        assert set(book.open) == {key(1)}
        broker.answers[HISTORY] = lambda _: page(record(1, "closed", version=2))
        await broker.until(lambda: heard)
        assert (heard[0].closed, dict(book.open)) == (True, {})


async def test_a_closing_is_newer_than_the_list_that_was_on_its_way(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    closing = changed(1, "closed", version=2)
    broker.answers[OPEN] = lambda _: [{**closing, "request_id": None}, *page(record(1))]
    async with PositionBook(client, heard.append) as book:
        assert dict(book.open) == {}
    assert [position.closed for position in heard] == [True]


async def test_live_states_are_asked_for_anew_for_whatever_is_open(client: Client, broker: ScriptedBroker) -> None:
    states: list[PositionState] = []
    broker.answers[OPEN] = lambda _: page(record(1))
    async with PositionBook(client, lambda _: None, states.append):
        await broker.until(lambda: len(broker.asked(STATES)) == 1)
        await broker.push(changed(2, version=1))
        await broker.until(lambda: len(broker.asked(STATES)) == 2)
        broker.answers[OPEN] = lambda _: page(record(1), record(2))
        await broker.drop()
        await broker.until(lambda: len(broker.asked(STATES)) == 3)
        assert broker.asked(STATES) == [
            {"frequency": "frequent", "ids": ["c0ffee-1"]},
            {"frequency": "frequent", "ids": ["c0ffee-1", "c0ffee-2"]},
            {"frequency": "frequent", "ids": ["c0ffee-1", "c0ffee-2"]},
        ]
        worth = {"id": "c0ffee-1", "instrument_type": "blitz-option", "current_price": 1.084, "pnl": 4.1}
        await broker.push(event("portfolio", "positions-state", {"user_id": USER_ID, "positions": [worth]}))
        await broker.until(lambda: states)
        assert (states[0].id, float(states[0].pnl)) == ("c0ffee-1", 4.1)


async def test_a_listener_that_fails_ends_nothing(client: Client, broker: ScriptedBroker) -> None:
    def fail(_: Position) -> None:
        raise RuntimeError("as a listener may")

    broker.answers[OPEN] = lambda _: page()
    async with PositionBook(client, fail) as book:
        broker.answers[OPEN] = lambda _: page(record(1))
        await broker.drop()
        await broker.until(lambda: set(book.open) == {key(1)})
        broker.answers[OPEN] = lambda _: page(record(1), record(2))
        await broker.drop()
        await broker.until(lambda: set(book.open) == {key(1), key(2)})


async def test_what_opened_and_closed_without_a_connection_is_told(client: Client, broker: ScriptedBroker) -> None:
    """A short option whose purchase was never answered, for one."""
    heard: list[Position] = []
    broker.answers[OPEN] = lambda _: page()
    async with PositionBook(client, heard.append):
        now = client.clock.now().timestamp() * 1000
        long_ago = record(8, "closed", version=2, close_time=now - 3_600_000)
        unheard = record(9, "closed", version=2, close_time=now)
        broker.answers[HISTORY] = lambda _: page(unheard, long_ago)
        await broker.drop()
        await broker.until(lambda: heard)
        await broker.drop()
        await broker.until(lambda: len(broker.asked(HISTORY)) == 2)
        await broker.push(changed(10, version=1))
        await broker.until(lambda: heard[-1].external_id == 10)
    assert [position.external_id for position in heard] == [9, 10]


async def test_what_a_list_told_is_not_undone_by_an_older_event(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    broker.answers[OPEN] = lambda _: page(record(1, version=1))
    async with PositionBook(client, heard.append) as book:
        broker.answers[OPEN] = lambda _: page(record(1, version=3))
        await broker.drop()
        await broker.until(lambda: heard)
        await broker.push(changed(1, version=2), changed(1, version=3), changed(2, version=1))
        await broker.until(lambda: key(2) in book.open)
        assert book.open[key(1)].version == 3
    assert [(position.external_id, position.version) for position in heard] == [(1, 3), (2, 1)]


async def test_a_list_that_lags_behind_undoes_nothing(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    broker.answers[OPEN] = lambda _: page(record(1, version=1))
    async with PositionBook(client, heard.append) as book:
        await broker.push(changed(1, version=2))
        await broker.until(lambda: heard)
        await broker.drop()
        await broker.until(lambda: broker.asked(HISTORY))
        assert book.open[key(1)].version == 2
    assert [position.version for position in heard] == [2]


async def test_a_closing_is_told_whatever_its_version(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    broker.answers[OPEN] = lambda _: page(record(1, version=7))
    async with PositionBook(client, heard.append) as book:
        await broker.push(changed(1, "closed", version=3), changed(1, "closed", version=4), changed(2, version=1))
        await broker.until(lambda: key(2) in book.open)
    assert [(position.external_id, position.status) for position in heard] == [(1, "closed"), (2, "open")]


async def test_positions_of_two_kinds_may_have_the_same_number(client: Client, broker: ScriptedBroker) -> None:
    heard: list[Position] = []
    digital = {"id": "d1", "instrument_type": "digital-option"}
    broker.answers[OPEN] = lambda _: page(record(1, version=5), record(1, **digital, version=1))
    async with PositionBook(client, heard.append) as book:
        assert set(book.open) == {key(1), key(1, "digital-option")}
        await broker.push(changed(1, "closed", version=6), changed(1, **digital, version=2))
        await broker.until(lambda: len(heard) == 2)
        assert set(book.open) == {key(1, "digital-option")}
        await broker.push(changed(1, "closed", **digital, version=3))
        await broker.until(lambda: not book.open)
    assert [(each.instrument_type, each.status) for each in heard] == [
        ("blitz-option", "closed"),
        ("digital-option", "open"),
        ("digital-option", "closed"),
    ]


async def test_a_closing_that_was_missed_is_not_taken_for_that_of_another_kind(
    client: Client, broker: ScriptedBroker
) -> None:
    heard: list[Position] = []
    margin = record(1, id="m1", instrument_type="marginal-forex")
    closed = [record(1, "closed", version=2), {**margin, "status": "closed", "version": 2}]
    broker.answers[OPEN] = lambda _: page(record(1), margin)
    broker.answers[HISTORY] = lambda body: page(*closed if body.get("external_id") == 1 else [])
    async with PositionBook(client, heard.append) as book:
        broker.answers[OPEN] = lambda _: page(record(1))
        await broker.drop()
        await broker.until(lambda: heard)
        assert set(book.open) == {key(1)}
    assert [position.key for position in heard] == [key(1, "marginal-forex")]
