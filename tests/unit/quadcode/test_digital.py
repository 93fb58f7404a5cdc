"""Digital options and orders read as in quadcode-protocol §13 and §15."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.quadcode.digital import SPOT, DigitalInstrument, InstrumentPrices, StrikePrice, UnderlyingList
from libs.quadcode.options import OptionDirection
from libs.quadcode.orders import Order

EXPIRATION = 1790003580
INSTRUMENT = {
    "index": 4711001, "asset_id": 76, "instrument_type": "digital-option", "period": 60, "expiration": EXPIRATION,
    "deadtime": 10, "data": [
        {"direction": "call", "strike": "SPT", "symbol": "do76CSPT"},
        {"direction": "put", "strike": "SPT", "symbol": "do76PSPT"},
        {"direction": "put", "strike": "1.084300", "symbol": "do76P1084300"},
    ],
}  # fmt: skip
ORDER = {
    "id": "ord-5", "instrument_type": "digital-option", "kind": "instant", "position_id": "c0ffee-02",
    "status": "filled", "user_id": 5150, "user_balance_id": 900004,
    "raw_event": {"digital_options_order_changed1": {"id": 88001}},
}  # fmt: skip


def order(**changes: Any) -> Order:
    return msgspec.json.decode(json.dumps(ORDER | changes), type=Order)


def test_an_underlying_trades_in_its_sessions_both_bounds_included() -> None:
    underlying = {
        "active_id": 76,
        "name": "EURUSD-OTC",
        "is_suspended": False,
        "schedule": [{"open": 100, "close": 200}],
    }
    wire = json.dumps({"type": "digital-option", "underlying": [underlying]})
    [read] = msgspec.json.decode(wire, type=UnderlyingList).underlying
    assert [read.tradable(datetime.fromtimestamp(second, UTC)) for second in (99, 100, 200, 201)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_strike_is_found_by_direction_and_price() -> None:
    instrument = msgspec.json.decode(json.dumps(INSTRUMENT), type=DigitalInstrument)
    spot, priced = instrument.strike(OptionDirection.PUT), instrument.strike(OptionDirection.PUT, "1.084300")
    assert spot is not None
    assert priced is not None
    assert (spot.symbol, spot.strike, priced.symbol) == ("do76PSPT", SPOT, "do76P1084300")
    assert instrument.strike(OptionDirection.CALL, "1.084300") is None


def test_an_instrument_is_purchasable_until_its_deadtime() -> None:
    instrument = msgspec.json.decode(json.dumps(INSTRUMENT), type=DigitalInstrument)
    end = datetime.fromtimestamp(EXPIRATION - 10, UTC)
    assert instrument.purchasable(end - timedelta(milliseconds=1))
    assert not instrument.purchasable(end)


@pytest.mark.parametrize(("ask", "percent"), [(54.6, 83), (50.0, 100), (None, None), (0.0, None)])
def test_what_a_strike_wins_comes_from_its_ask(ask: float | None, percent: int | None) -> None:
    assert StrikePrice("do76", ask).profit_percent == percent


@given(st.none() | st.floats(1, 99), st.none() | st.floats(1, 99))
def test_prices_may_lack_an_ask_or_a_bid(ask: float | None, bid: float | None) -> None:
    side = {"symbol": "do76"} | {name: value for name, value in (("ask", ask), ("bid", bid)) if value is not None}
    prices = [{"strike": "SPT", "call": side, "put": side}]
    wire = json.dumps({"instrument_index": 1, "asset_id": 76, "quote_time": 1790003520123, "prices": prices})
    read = msgspec.json.decode(wire, type=InstrumentPrices)
    assert (read.prices[0].call, read.instrument_type) == (StrikePrice("do76", ask, bid), "digital-option")


@pytest.mark.parametrize(
    "key",
    [
        "digital_options_order_changed1",
        "marginal_forex_order_changed1",
        "marginal_cfd_order_changed1",
        "marginal_crypto_order_changed1",
    ],
)
def test_the_number_of_an_order_is_in_its_raw_event(key: str) -> None:
    assert order(raw_event={key: {"id": 88001}}).number == 88001


def test_an_order_without_a_raw_event_has_no_number() -> None:
    bare = {name: value for name, value in ORDER.items() if name != "raw_event"}
    assert msgspec.json.decode(json.dumps(bare), type=Order).number is None


def test_an_order_ends_when_filled_canceled_or_rejected() -> None:
    statuses = ("filled", "canceled", "rejected", "new", "something else")
    assert [order(status=status).ended for status in statuses] == [True, True, True, False, False]
