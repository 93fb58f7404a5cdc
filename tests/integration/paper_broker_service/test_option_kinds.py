"""Turbo, binary and digital options over a real socket (quadcode-protocol §12.5, §13)."""

from typing import Any

from tests.integration.paper_broker import PaperBroker, StartPaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, USER, Wire, connected

TYPES = ["digital-option", "binary-option", "turbo-option", "blitz-option"]
INSTRUMENTS = "digital-option-instruments"


async def listening(wire: Wire) -> None:
    await wire.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    await wire.subscribe("portfolio.order-changed", "2.0", user_id=USER, instrument_type="digital-option")
    await wire.subscribe("balances.balance-changed", "1.0")


async def now(wire: Wire) -> int:
    """Epoch seconds of the platform's clock, as it was told last."""
    await wire.wait(lambda frame: frame["name"] == "timeSync")
    return int(wire.events("timeSync")[-1][1]) // 1000


async def place(wire: Wire, **changes: object) -> Any:
    """The reply to an order of a spot call on the instrument that expires last of those of a minute."""
    await wire.call(f"{INSTRUMENTS}.get-underlying-list", "3.0", {"filter_suspended": True})
    listed = (await wire.call(f"{INSTRUMENTS}.get-instruments", "3.0", {"asset_id": EURUSD}))["instruments"]
    instrument = max((each for each in listed if each["period"] == 60), key=lambda each: int(each["expiration"]))
    order = {
        "amount": "12.5",
        "asset_id": EURUSD,
        "instrument_id": instrument["data"][0]["symbol"],
        "instrument_index": instrument["index"],
        "user_balance_id": await wire.demo_balance(),
    }
    return await wire.call("digital-options.place-digital-option", "3.0", order | changes)


async def test_a_turbo_and_a_binary_option_are_sold_in_one_request(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        at = await now(wire)
        minute, quarter = ((at // size + 2) * size for size in (60, 900))
        kinds = {3: minute, 1: quarter}
        bought = []
        for type_id, expired in kinds.items():
            order = await wire.order(option_type_id=type_id, expired=expired)
            del order["expiration_size"]
            bought.append(await wire.call("binary-options.open-option", "2.0", order))
        assert [(each["type"], each["exp"]) for each in bought] == [("turbo", minute), ("binary", quarter)]
        body = {"options_ids": [each["id"] for each in bought]}
        assert (await wire.call("binary-options.sell-options", "3.0", body))["success"] is True
        for each in bought:
            closed = await wire.event("position-changed", external_id=each["id"], status="closed")
            assert closed["close_reason"] == "sold"
            lookup = {"instrument_types": TYPES, "external_id": each["id"]}
            assert (await wire.call("portfolio.get-history-positions", "2.0", lookup))["positions"] == [closed]
        again = await wire.call("binary-options.sell-options", "3.0", body)
        assert (again["success"], again["reason"]) == (False, f"Option {bought[0]['id']} is closed.")
        assert all(balance["amount"] == balance["ledger"] for balance in await paper_broker.balances(USER))


async def test_a_digital_option_from_its_price_to_its_closing(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        reply = await place(wire)
        order = await wire.event("order-changed", status="filled")
        opened = await wire.event("position-changed", status="open", id=order["position_id"])
        names = [frame["name"] for _, frame in wire.frames]
        assert names.index("digital-option-placed") < names.index("order-changed") < names.index("position-changed")
        assert order["raw_event"] == {"digital_options_order_changed1": reply}
        assert opened["raw_event"]["digital_options_position_changed1"]["order_ids"] == [reply["id"]]

        listed = (await wire.call(f"{INSTRUMENTS}.get-instruments", "3.0", {"asset_id": EURUSD}))["instruments"]
        name = "trading-settings.digital-option-client-price-generated"
        filters = {"asset_id": EURUSD, "instrument_index": listed[-1]["index"], "instrument_type": "digital-option"}
        await wire.subscribe(name, "1.0", **filters)
        prices = (await wire.event("digital-option-client-price-generated"))["prices"]
        symbols = {each[side]["symbol"] for each in prices for side in ("call", "put")}
        assert symbols == {each["symbol"] for each in listed[-1]["data"]}

        close = {"position_id": opened["external_id"]}
        assert (await wire.call("digital-options.close-position", "1.0", close))["success"] is True
        closed = await wire.event("position-changed", status="closed")
        assert closed["close_reason"] == "default"
        assert closed["version"] > opened["version"]


async def test_digital_options_expire_and_new_ones_begin(start_paper_broker: StartPaperBroker) -> None:
    paper_broker = await start_paper_broker(PREGAO_PAPER_CLOCK_SPEED="60")
    async with connected(paper_broker) as wire:
        await listening(wire)
        await wire.subscribe(f"{INSTRUMENTS}.instrument-generated", "3.0", asset_id=EURUSD)
        await place(wire)
        closed = await wire.event("position-changed", status="closed")
        assert closed["close_reason"] == "expired"
        assert closed["close_time"] == closed["raw_event"]["digital_options_position_changed1"]["instrument_expiration"]
        assert (await wire.event("instrument-generated", period=60))["asset_id"] == EURUSD
        assert all(balance["amount"] == balance["ledger"] for balance in await paper_broker.balances(USER))


async def test_without_money_a_digital_order_is_rejected(paper_broker: PaperBroker) -> None:
    async with connected(paper_broker) as wire:
        await listening(wire)
        reply = await place(wire, amount="10001")
        rejected = await wire.event("order-changed", status="rejected")
        assert rejected["raw_event"] == {"digital_options_order_changed1": reply}
        assert await paper_broker.positions(USER) == []
