"""The small rules that live in the contracts."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.account import AccountType, Balance, Balances
from libs.contracts.bots import BotConfig, BotState
from libs.contracts.ids import derived_id, new_id
from libs.contracts.market import TradingHours
from libs.contracts.orders import OptionKind, Order, OrderState, TradeResult
from libs.contracts.subjects import candle, session_rpc, trade
from tests.messages import NOW, USER, an_active, an_order


def config(text: str) -> BotConfig:
    return msgspec.json.decode(text, type=BotConfig)


def test_a_configuration_has_the_documented_defaults() -> None:
    assert config("{}") == BotConfig(mode="auto", strategy="aggressive", amount=Decimal(1))
    assert config("{}").account_type is AccountType.DEMO


def test_what_the_client_sends_in_manual_mode_is_accepted() -> None:
    sent = """{"mode": "manual", "strategy": "aggressive", "amount": 20, "asset": "EURUSD-OTC", "timeframe": 30,
        "leverageEnabled": false, "leverage": 2, "safetyStopEnabled": true, "safetyStop": 3,
        "dailyGoalEnabled": true, "dailyGoal": 100}"""
    read = config(sent)
    assert (read.mode, read.asset, read.timeframe, read.amount) == ("manual", "EURUSD-OTC", 30, Decimal(20))


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ('{"amount": 0}', "amount"),
        ('{"amount": 1000.01}', "amount"),
        ('{"amount": "NaN"}', "amount"),
        ('{"amount": "much"}', "amount"),
        ('{"amount": null}', "amount"),
        ('{"leverage": 1.4}', "leverage"),
        ('{"maxStake": 0}', "maxStake"),
        ('{"dailyGoal": 9}', "dailyGoal"),
        ('{"timeframe": 45}', "timeframe"),
        ('{"maxTimeframe": 4}', "maxTimeframe"),
        ('{"minPayout": 101}', "minPayout"),
        ('{"safetyStop": 11}', "safetyStop"),
        ('{"strategy": "Magic!"}', "strategy"),
        ('{"mode": "turbo"}', "mode"),
        ('{"accountType": "both"}', "accountType"),
        ('{"stake": 5}', "stake"),
        ('{"mode": "manual"}', "asset"),
    ],
)
def test_a_wrong_configuration_is_refused_naming_the_field(sent: str, names: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=names):
        config(sent)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_result_is_the_sign_of_the_profit(profit: Decimal) -> None:
    expected = {1: TradeResult.WIN, 0: TradeResult.TIE, -1: TradeResult.LOSS}
    assert TradeResult.of(profit) is expected[(profit > 0) - (profit < 0)]


def test_only_the_balance_of_exactly_the_type_asked_for_is_found() -> None:
    real = Balance(id=1, type=AccountType.REAL, amount=Decimal(50), currency="USD")
    balances = Balances(user=USER, at=NOW, balances=(real,))
    assert balances.of(AccountType.REAL) == real
    assert balances.of(AccountType.DEMO) is None


@pytest.mark.parametrize(
    ("suspended", "second", "expected"),
    [(False, 100, True), (False, 200, True), (False, 99, False), (False, 201, False), (True, 150, False)],
)
def test_an_active_is_tradable_inside_its_hours_unless_suspended(suspended: bool, second: int, expected: bool) -> None:
    active = an_active(1, "EURUSD", "EUR/USD", suspended=suspended, hours=(TradingHours(100, 200),))
    assert active.tradable(OptionKind.BLITZ, datetime.fromtimestamp(second, UTC)) is expected
    assert not active.tradable(OptionKind.TURBO, datetime.fromtimestamp(second, UTC)), "not on offer"


def test_only_closed_rejected_and_unknown_are_final() -> None:
    assert {state for state in OrderState if state.final} == {
        OrderState.CLOSED,
        OrderState.REJECTED,
        OrderState.UNKNOWN,
    }


def test_a_stopped_or_failed_bot_is_not_alive() -> None:
    assert {state for state in BotState if not state.alive} == {BotState.STOPPED, BotState.FAILED}


def test_ids_are_unique_and_sort_by_time() -> None:
    made = [new_id() for _ in range(100)]
    assert len(set(made)) == 100
    assert made == sorted(made)


@given(st.lists(st.text() | st.integers(), min_size=1, max_size=4))
def test_a_derived_id_repeats_with_its_parts(parts: list[str | int]) -> None:
    assert derived_id(*parts) == derived_id(*parts)


def test_derived_ids_differ_when_the_parts_are_split_differently() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")


def test_subjects_are_spelled_as_documented() -> None:
    from libs.contracts.market import Feed

    assert candle(Feed(76, 60)) == "market.candle.76.60"
    assert trade(USER, OrderState.OPENED) == f"trade.{USER}.opened"
    assert session_rpc(USER, "order") == f"rpc.gateway.{USER}.order"


def test_an_order_of_before_there_were_kinds_is_a_blitz_order_for_any_payout() -> None:
    fields = msgspec.to_builtins(an_order())
    for name in ("option", "expiration", "min_payout"):
        del fields[name]
    order = msgspec.json.decode(msgspec.json.encode(fields), type=Order)
    assert (order.option, order.expiration, order.min_payout) == (OptionKind.BLITZ, None, 0)


@pytest.mark.parametrize(("kind", "expiration"), [(OptionKind.BLITZ, NOW), (OptionKind.TURBO, None)])
def test_an_order_has_an_expiration_exactly_when_its_kind_has(kind: OptionKind, expiration: datetime | None) -> None:
    fields = msgspec.to_builtins(an_order()) | {"option": kind, "expiration": expiration}
    with pytest.raises(msgspec.ValidationError, match="expiration"):
        msgspec.json.decode(msgspec.json.encode(fields), type=Order)
