"""Messages survive what the wire does to them: other spellings of numbers, missing and unknown fields."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.quadcode.balances import Balance
from libs.quadcode.candles import CANDLE_GENERATED, Candle, CandleGenerated, CandleList, GetCandles
from libs.quadcode.epoch import from_milliseconds, from_nanoseconds, from_seconds, seconds
from libs.quadcode.features import Feature, Features
from libs.quadcode.frames import EventFrame
from libs.quadcode.options import OpenOption, Option, OptionDirection, OptionType
from libs.quadcode.positions import Position

prices = st.floats(min_value=1e-6, max_value=1e7, allow_nan=False)
moments = st.integers(946_684_800, 4_000_000_000)
unknown = st.dictionaries(st.text(st.characters(categories=["Lu"]), min_size=1, max_size=5), st.integers(), max_size=3)


def on_the_wire(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


@st.composite
def candles(draw: st.DrawFn) -> dict[str, Any]:
    start, size = draw(moments), draw(st.sampled_from([1, 60, 86400]))
    return {
        "id": draw(st.integers(1, 10**10)), "from": start, "to": start + size,
        "open": draw(prices), "close": draw(prices), "min": draw(prices), "max": draw(prices),
        "volume": draw(st.integers(0, 10)),
    }  # fmt: skip


@given(candles(), st.booleans(), unknown)
def test_candles_of_history(fields: dict[str, Any], running: bool, more: dict[str, int]) -> None:
    at = fields["from"] * 10**9 + 1 if running else None
    wire = on_the_wire({"candles": [fields | more | ({"at": at} if running else {})]})
    [candle] = msgspec.json.decode(wire, type=CandleList).candles
    assert candle == Candle(
        fields["id"], fields["from"], fields["to"], fields["open"], fields["close"], fields["min"], fields["max"],
        fields["volume"], at,
    )  # fmt: skip


@given(candles(), st.integers(0, 10**9), unknown)
def test_running_candles(fields: dict[str, Any], short_of_end: int, more: dict[str, int]) -> None:
    at = fields["to"] * 10**9 - short_of_end
    msg = (
        fields
        | more
        | {"active_id": 76, "size": fields["to"] - fields["from"], "at": at, "ask": 1.5, "bid": 1, "phase": "T"}
    )
    frame = msgspec.json.decode(
        on_the_wire({"name": CANDLE_GENERATED.event, "microserviceName": CANDLE_GENERATED.service, "msg": msg}),
        type=EventFrame[CandleGenerated],
    )
    assert frame.msg.closed is (short_of_end == 0)
    assert (frame.msg.start, frame.msg.end, frame.msg.at) == (fields["from"], fields["to"], at)
    assert (frame.msg.open, frame.msg.close, frame.msg.min, frame.msg.max) == tuple(
        fields[name] for name in ("open", "close", "min", "max")
    )


@given(st.integers(1, 10**6), st.none() | moments, st.none() | st.integers(1, 1000))
def test_queries_leave_out_what_is_not_set(active_id: int, start: int | None, count: int | None) -> None:
    query = GetCandles(
        active_id=active_id,
        size=60,
        from_=msgspec.UNSET if start is None else start,
        count=msgspec.UNSET if count is None else count,
    )
    wire = {"active_id": active_id, "size": 60, "from": start, "count": count}
    assert json.loads(msgspec.json.encode(query)) == {name: value for name, value in wire.items() if value is not None}


@given(st.decimals(0, 10**9, places=2), st.booleans())
def test_balances_in_numbers_or_in_strings(amount: Decimal, as_text: bool) -> None:
    written = f'"{amount}"' if as_text else str(amount)
    wire = f'{{"id": 900004, "type": 4, "amount": {written}, "bonus_amount": 0, "currency": "USD", "user_id": 1}}'
    assert msgspec.json.decode(wire, type=Balance).amount == amount


@given(st.decimals(1, 10**6, places=2), st.sampled_from(OptionDirection), st.integers(5, 300))
def test_a_blitz_purchase(price: Decimal, direction: OptionDirection, duration: int) -> None:
    purchase = OpenOption.blitz(
        active_id=76, direction=direction, duration=duration, price=price, balance_id=900004, profit_percent=82
    )
    body = json.loads(msgspec.json.Encoder(decimal_format="number").encode(purchase), parse_float=Decimal)
    assert body == {
        "active_id": 76, "direction": str(direction), "expired": 0, "expiration_size": duration,
        "option_type_id": int(OptionType.BLITZ), "price": price, "user_balance_id": 900004, "profit_percent": 82,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [OptionType.TURBO, OptionType.BINARY])
def test_a_turbo_or_binary_purchase_names_its_expiration_and_no_duration(kind: OptionType) -> None:
    purchase = OpenOption.timed(
        kind=kind, active_id=76, direction=OptionDirection.CALL, expires_at=1790003520, price=Decimal(25),
        balance_id=900004, profit_percent=86,
    )  # fmt: skip
    assert json.loads(msgspec.json.Encoder(decimal_format="number").encode(purchase)) == {
        "active_id": 76, "direction": "call", "expired": 1790003520, "option_type_id": int(kind), "price": 25,
        "user_balance_id": 900004, "profit_percent": 86,
    }  # fmt: skip


def test_a_blitz_purchase_has_no_expiration_to_name() -> None:
    with pytest.raises(ValueError, match="kind"):
        OpenOption.timed(
            kind=OptionType.BLITZ, active_id=76, direction=OptionDirection.CALL, expires_at=1790003520,
            price=Decimal(25), balance_id=900004, profit_percent=86,
        )  # fmt: skip


@given(moments, st.integers(5, 300), st.integers(0, 100), prices)
def test_a_bought_option(bought: int, duration: int, percent: int, quote: float) -> None:
    wire = on_the_wire(
        {"id": 1, "exp": bought + duration, "time_rate": bought, "value": quote, "profit_income": percent}
    )
    option = msgspec.json.decode(wire, type=Option)
    assert option.opened_at == datetime.fromtimestamp(bought, UTC)
    assert option.expires_at - option.opened_at == timedelta(seconds=duration)
    assert (option.value, option.profit_income) == (quote, percent)


def position(**changes: Any) -> Position:
    fields: dict[str, Any] = {
        "id": "c0ffee-01", "external_id": 1, "user_id": 5150, "user_balance_id": 2, "active_id": 76,
        "instrument_type": "blitz-option", "status": "open", "invest": 25, "open_quote": 1.08,
        "open_time": 1790003500120,
    }  # fmt: skip
    return msgspec.json.decode(on_the_wire(fields | changes), type=Position)


def test_an_open_position_has_no_profit_yet() -> None:
    assert position(pnl=4.1, pnl_realized=0).profit is None


@given(st.decimals(-1000, 1000, places=2))
def test_the_profit_of_a_closed_position_is_without_the_stake(profit: Decimal) -> None:
    amount = float(profit)
    assert position(status="closed", pnl_realized=amount, close_profit=1).profit == Decimal(str(amount))
    assert position(status="closed", close_profit=float(25 + profit)).profit == Decimal(str(float(25 + profit))) - 25
    assert position(status="closed", pnl=amount).profit == Decimal(str(amount))


def test_a_closed_position_without_figures_has_no_profit() -> None:
    assert position(status="closed").profit is None


def test_direction_and_expiry_are_known_when_the_record_tells() -> None:
    told = position(
        raw_event={
            "binary_options_option_changed1": {"order_ids": [1], "direction": "put", "expiration_time": 1790003510}
        }
    )
    assert told.option is not None
    assert (told.option.direction, told.expires_at) == ("put", datetime.fromtimestamp(1790003510, UTC))
    assert position().option is None
    digital = {"order_ids": [88001], "instrument_dir": "call", "instrument_expiration": 1790003580000}
    told = position(instrument_type="digital-option", raw_event={"digital_options_position_changed1": digital})
    assert told.digital is not None
    assert (told.digital.instrument_dir, told.expires_at) == ("call", datetime.fromtimestamp(1790003580, UTC))
    assert position().expires_at is None
    assert position(raw_event={"marginal_cfd_position_changed1": {"order_ids": [1]}}).option is None


@given(moments, st.integers(0, 999_999))
def test_times_are_read_to_the_microsecond(second: int, microsecond: int) -> None:
    moment = datetime.fromtimestamp(second, UTC).replace(microsecond=microsecond)
    assert from_nanoseconds((second * 1_000_000 + microsecond) * 1000) == moment
    assert from_milliseconds(second * 1000 + microsecond // 1000) == moment.replace(
        microsecond=microsecond // 1000 * 1000
    )
    assert from_seconds(second) == moment.replace(microsecond=0)
    assert seconds(moment) == second


def test_a_feature_is_there_unless_it_is_listed_as_disabled() -> None:
    features = Features()
    features.learn([Feature("a", "enabled"), Feature("b", "disabled"), Feature("c", "hidden")])
    assert [features.available(name) for name in "abcd"] == [True, False, True, True]
