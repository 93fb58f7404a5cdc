"""The checklist for simulators of the platform (quadcode-protocol §20); numbers are its points."""

from typing import Any

from tests.integration.paper_broker import PaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, USER, Wire, connected

MARGIN = {"forex": EURUSD, "cfd": 2086, "crypto": 2270}
"""An active of each kind of margin trading."""
KINDS = [
    *("digital-option", "binary-option", "turbo-option", "blitz-option"),
    *("marginal-cfd", "marginal-crypto", "marginal-forex"),
]
SIZES = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 604800, 2592000]

TYPED: list[tuple[str, str, dict[str, Any]]] = [
    ("features.get-features", "2.0", {"category": "client-sdk-js"}),
    ("core.get-profile", "1.0", {}),
    ("balances.get-available-balances", "1.0", {"types_ids": [1, 4]}),
    ("get-active", "5.0", {"id": EURUSD}),
    ("get-currency", "5.0", {"name": "BRL"}),
    ("get-first-candles", "1.0", {"active_id": EURUSD, "split_normalization": False}),
    ("quotes-history.get-candles", "2.0", {"active_id": EURUSD, "size": 60}),
    ("binary-options.get-initialization-data", "3.0", {}),
    ("digital-option-instruments.get-underlying-list", "3.0", {"filter_suspended": True}),
    ("digital-option-instruments.get-instruments", "3.0", {"asset_id": EURUSD}),
    *((f"marginal-{kind}-instruments.get-underlying-list", "1.0", {}) for kind in MARGIN),
    *(
        (f"marginal-{kind}-instruments.get-instruments-list", "1.0", {"active_id": active_id})
        for kind, active_id in MARGIN.items()
    ),
    ("portfolio.get-positions", "4.0", {"instrument_types": KINDS, "limit": 30, "offset": 0}),
    ("portfolio.get-history-positions", "2.0", {"instrument_types": KINDS, "user_id": USER, "limit": 30, "offset": 0}),
]
SUBSCRIPTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("balances.balance-changed", "1.0", {}),
    ("marginal-portfolio.balance-changed", "1.0", {}),
    ("quote-generated", "2.0", {"active_id": EURUSD}),
    ("candle-generated", "1.0", {"active_id": EURUSD, "size": 1}),
    ("portfolio.position-changed", "3.0", {"user_id": USER}),
    ("portfolio.positions-state", "1.0", {}),
    *(("portfolio.order-changed", "2.0", {"user_id": USER, "instrument_type": kind}) for kind in KINDS),
    ("digital-option-instruments.underlying-list-changed", "3.0", {}),
    ("digital-option-instruments.instrument-generated", "3.0", {"asset_id": EURUSD}),
    *((f"marginal-{kind}-instruments.underlying-list-changed", "1.0", {}) for kind in MARGIN),
    ("exchange-rates.exchange-rate-generated", "2.0", {"base_currency": "EUR", "quote_currency": "BRL"}),
    ("chat-message-public-generated", "1.0", {"room_id": "global"}),
]


def message(name: str, version: str, filters: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": version} | ({"params": {"routingFilters": filters}} if filters else {})


async def everything_answered(wire: Wire, asked: set[str]) -> list[dict[str, Any]]:
    """The replies, once a later request is answered too: whatever comes twice has come by then."""
    for request_id in asked:
        await wire.wait(lambda frame, request_id=request_id: frame.get("request_id") == request_id)
    await wire.call("core.get-profile", "1.0", {})
    return [frame for _, frame in wire.frames if frame.get("request_id") in asked]


async def test_every_request_is_answered_once(paper_broker: PaperBroker) -> None:
    """1, 5 and 7: however many are outstanding at once."""
    async with connected(paper_broker) as wire:
        asked = {
            await wire.send("sendMessage", {"name": name, "version": version, "body": body})
            for name, version, body in TYPED
        }
        replies = await everything_answered(wire, asked)
        assert sorted(frame["request_id"] for frame in replies) == sorted(asked)
        assert all(frame["status"] == 2000 for frame in replies)


async def test_a_request_that_makes_no_sense_is_answered_too(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        asked = {
            await wire.send("sendMessage", msg)
            for msg in (
                {"name": "no.such-message", "version": "1.0", "body": {}},
                {"name": "core.get-profile", "version": "7.0", "body": {}},
                {"name": "get-active", "version": "5.0", "body": {"id": "EURUSD"}},
                {"name": "get-active", "version": "5.0"},
                "not an object",
            )
        } | {await wire.send("noSuchFrame", {})}
        replies = await everything_answered(wire, asked)
        assert sorted(frame["request_id"] for frame in replies) == sorted(asked)
        assert all(4000 <= frame["status"] < 5000 for frame in replies)


async def test_every_event_can_be_subscribed_to_twice_and_left(paper_broker: PaperBroker) -> None:
    """6: and between two subscriptions of one connection an event comes once."""
    async with connected(paper_broker) as wire:
        for _ in range(2):
            for name, version, filters in SUBSCRIPTIONS:
                reply = await wire.ask("subscribeMessage", message(name, version, filters))
                assert reply["msg"] == {"success": True, "reason": ""}, name
        for _ in range(3):
            seen = len(wire.events("candle-generated"))
            await wire.wait(lambda _, seen=seen: len(wire.events("candle-generated")) > seen)
        updates = [msg["at"] for _, msg in wire.events("candle-generated")]
        assert len(set(updates)) == len(updates)
        for name, version, filters in SUBSCRIPTIONS:
            reply = await wire.ask("unsubscribeMessage", message(name, version, filters))
            assert reply["msg"]["success"] is True, name


async def test_an_event_that_nobody_wants_any_more_does_not_come(paper_broker: PaperBroker) -> None:
    """6."""
    async with connected(paper_broker) as wire:
        candles = message("candle-generated", "1.0", {"active_id": EURUSD, "size": 1})
        await wire.ask("subscribeMessage", candles)
        await wire.event("candle-generated")
        await wire.ask("unsubscribeMessage", candles)
        seen = len(wire.events("candle-generated"))
        now = wire.events("timeSync")[-1][1]
        await wire.wait(lambda frame: frame["name"] == "timeSync" and frame["msg"] > now + 1500)
        assert len(wire.events("candle-generated")) == seen


async def test_first_candles_history_and_ids_agree_at_all_sizes(paper_broker: PaperBroker) -> None:
    """11: back to the first candle."""
    async with connected(paper_broker) as wire:
        firsts = (await wire.call("get-first-candles", "1.0", {"active_id": EURUSD}))["candles_by_size"]
        assert sorted(map(int, firsts)) == SIZES
        for size in SIZES:
            first = firsts[str(size)]
            ids = {"active_id": EURUSD, "size": size, "from_id": first["id"], "to_id": first["id"] + 3}
            oldest = (await wire.call("quotes-history.get-candles", "2.0", ids))["candles"]
            assert oldest[0] == first
            assert [candle["id"] for candle in oldest] == list(range(first["id"], first["id"] + 4))
            times = {"active_id": EURUSD, "size": size, "from": oldest[1]["from"], "to": oldest[2]["from"]}
            assert (await wire.call("quotes-history.get-candles", "2.0", times))["candles"] == oldest[1:3]


async def test_a_range_of_1001_ids_is_answered_in_full(paper_broker: PaperBroker) -> None:
    """Pitfall P10."""
    async with connected(paper_broker) as wire:
        last = (await wire.call("quotes-history.get-candles", "2.0", {"active_id": EURUSD, "size": 60}))["candles"][0]
        ids = {"active_id": EURUSD, "size": 60, "from_id": last["id"] - 1000, "to_id": last["id"]}
        candles = (await wire.call("quotes-history.get-candles", "2.0", ids))["candles"]
        assert [candle["id"] for candle in candles] == list(range(last["id"] - 1000, last["id"] + 1))
