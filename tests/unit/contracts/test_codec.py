"""What is written can be read, by every version of us, without a digit lost."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.account import AccountType, Balance, Balances
from libs.contracts.codec import decode, encode
from libs.contracts.market import Candle, Feed, FeedDemand
from libs.contracts.orders import Direction, Order, OrderRecord, OrderState, Position, Settlement
from libs.contracts.score import Score
from tests.messages import a_candle, a_closing, a_record, an_opening

times = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
money = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9)
prices = st.floats(min_value=1e-6, max_value=1e6, allow_nan=False)
identifiers = st.uuids().map(str)

orders = st.builds(
    Order,
    order_id=identifiers,
    user=identifiers,
    run=identifiers,
    sequence=st.integers(1, 10**9),
    at=times,
    expires_at=times,
    account_type=st.sampled_from(AccountType),
    active_id=st.integers(1, 10**6),
    ticker=st.text(max_size=40),
    direction=st.sampled_from(Direction),
    stake=money,
    duration=st.integers(5, 3600),
    strategy=st.text(max_size=20),
    confidence=st.integers(0, 100),
    correlation_id=identifiers,
)
positions = st.builds(
    Position,
    position_id=st.integers(1, 2**53),
    balance_id=st.integers(1, 2**53),
    opened_at=times,
    expiry=times,
    open_quote=prices,
    payout=st.integers(0, 500),
)
settlements = st.builds(Settlement, closed_at=times, close_quote=st.none() | prices, profit=money)
records = st.builds(
    OrderRecord,
    order=orders,
    state=st.sampled_from(OrderState),
    updated_at=times,
    sent_at=st.none() | times,
    position=st.none() | positions,
    settlement=st.none() | settlements,
    code=st.text(max_size=20),
    reason=st.text(max_size=200),
)
candles = st.builds(
    Candle,
    active_id=st.integers(1, 10**6),
    size=st.integers(1, 2592000),
    id=st.integers(1, 2**40),
    start=st.integers(0, 2**33),
    end=st.integers(0, 2**33),
    open=prices,
    high=prices,
    low=prices,
    close=prices,
    volume=st.floats(0, 1e12),
    at=times,
)
balances = st.builds(
    Balances,
    user=identifiers,
    at=times,
    balances=st.lists(
        st.builds(
            Balance,
            id=st.integers(1, 2**53),
            type=st.sampled_from(AccountType),
            amount=money,
            currency=st.sampled_from(["USD", "BRL", "EUR"]),
        ),
        max_size=4,
    ).map(tuple),
)


@given(records | candles | balances)
def test_every_message_survives_the_wire(message: OrderRecord | Candle | Balances) -> None:
    assert decode(encode(message), type(message)) == message


@given(money)
def test_money_keeps_its_digits(amount: Decimal) -> None:
    balance = Balance(id=1, type=AccountType.DEMO, amount=amount, currency="USD")
    assert str(decode(encode(balance), Balance).amount) == str(amount)


def test_money_is_a_string_and_a_time_is_utc_on_the_wire() -> None:
    wire = msgspec.json.decode(encode(a_closing()))
    assert wire["order"]["stake"] == "10"
    assert wire["at"] == "2026-11-24T12:00:10Z"


def test_a_field_we_do_not_know_is_ignored() -> None:
    wire = msgspec.json.decode(encode(a_candle())) | {"invented_later": 1}
    assert decode(msgspec.json.encode(wire), Candle) == a_candle()


def test_a_wrong_type_is_an_error_that_names_the_field() -> None:
    wire = msgspec.json.decode(encode(a_record()))
    wire["order"]["stake"] = "ten"
    with pytest.raises(msgspec.ValidationError, match=r"\$\.order\.stake"):
        decode(msgspec.json.encode(wire), OrderRecord)


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        a_candle().close = 2.0  # type: ignore[misc]


def test_feeds_travel_as_pairs() -> None:
    demand = FeedDemand(feeds=(Feed(76, 60), Feed(1, 10)))
    assert encode(demand) == b'{"feeds":[[76,60],[1,10]]}'
    assert decode(encode(demand), FeedDemand) == demand


def test_a_closing_holds_all_that_its_opening_held() -> None:
    opened, closed = an_opening(), a_closing()
    assert (closed.order, closed.position) == (opened.order, opened.position)


def test_a_score_counts_its_trades() -> None:
    score = Score(
        id="x",
        user="u",
        at=a_candle().at,
        run="r",
        account_type=AccountType.DEMO,
        sequence=6,
        wins=3,
        losses=2,
        ties=1,
    )
    assert score.trades == 6
