"""What an unanswered order's record and the broker's books say together."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts.orders import Direction, OptionKind, OrderRecord, OrderState
from services.broker_gateway.broker import BrokerPosition
from services.broker_gateway.reconcile import Verdict, judge
from tests.messages import NOW, a_position, a_record, an_order

GRACE = timedelta(seconds=60)
SENT = a_record(state=OrderState.SENDING, sent_at=NOW, balance_id=900004)
LONG_AFTER = SENT.order.expires_at + GRACE + timedelta(seconds=1)


def booked(**changes: Any) -> BrokerPosition:
    position = {
        name: changes.pop(name) for name in ("position_id", "opened_at", "expiry", "balance_id") if name in changes
    }
    fields: dict[str, Any] = {
        "active_id": 76,
        "direction": Direction.CALL,
        "stake": Decimal(10),
        "settlement": None,
    }
    return BrokerPosition(position=a_position(**position), **(fields | changes))


def verdict(record: OrderRecord, *books: BrokerPosition, linked: tuple[int, ...] = (), at: Any = NOW) -> Verdict:
    return judge(record, books, [(OptionKind.BLITZ, number) for number in linked], at, GRACE).verdict


def test_the_one_position_that_fits_is_the_orders() -> None:
    position = booked()
    judgement = judge(SENT, [booked(position_id=1, active_id=77), position], (), NOW, GRACE)
    assert (judgement.verdict, judgement.position) == (Verdict.BOOKED, position)


def test_of_a_digital_option_absence_is_never_certain() -> None:
    """Some cannot be looked up; but until its expiration is past, it may still be told of."""
    expiration = NOW + timedelta(minutes=5)
    order = replace(SENT.order, option=OptionKind.DIGITAL, expiration=expiration)
    record = replace(SENT, order=order)
    assert verdict(record, at=expiration + GRACE) is Verdict.WAIT
    assert verdict(record, at=expiration + GRACE + timedelta(seconds=1)) is Verdict.UNDECIDED


def test_how_long_a_digital_option_may_be_told_of_is_known_by_the_brokers_clock() -> None:
    behind = timedelta(minutes=10)
    expiration = NOW - behind + timedelta(minutes=5)
    order = replace(SENT.order, option=OptionKind.DIGITAL, expiration=expiration)
    record = replace(SENT, order=order, broker_sent_at=NOW - behind)
    assert verdict(record, at=expiration + behind + GRACE) is Verdict.WAIT


def test_a_position_of_another_kind_with_the_same_number_is_another() -> None:
    judgement = judge(SENT, [booked(position_id=1)], [(OptionKind.DIGITAL, 1)], NOW, GRACE)
    assert judgement.verdict is Verdict.BOOKED


def test_two_that_fit_are_undecided() -> None:
    assert verdict(SENT, booked(position_id=1), booked(position_id=2), at=LONG_AFTER) is Verdict.UNDECIDED


def test_a_position_of_another_order_does_not_fit() -> None:
    assert verdict(SENT, booked(position_id=1), linked=(1,)) is Verdict.WAIT
    assert verdict(SENT, booked(position_id=1), booked(position_id=2), linked=(1,)) is Verdict.BOOKED


@pytest.mark.parametrize(
    "different",
    [
        {"active_id": 77},
        {"direction": Direction.PUT},
        {"stake": Decimal("10.01")},
        {"balance_id": 900001},
        {"expiry": NOW + timedelta(seconds=30)},
    ],
)
def test_a_position_that_differs_in_anything_does_not_fit(different: dict[str, Any]) -> None:
    assert verdict(SENT, booked(**different), at=LONG_AFTER) is Verdict.NOT_BOOKED


@pytest.mark.parametrize("away", [timedelta(seconds=-30), timedelta(minutes=5)])
def test_one_that_differs_only_in_time_may_be_it_so_nothing_is_certain(away: timedelta) -> None:
    """A clock may be wrong."""
    position = booked(opened_at=NOW + away, expiry=NOW + away + timedelta(seconds=10))
    assert verdict(SENT, position) is Verdict.WAIT
    assert verdict(SENT, position, at=LONG_AFTER) is Verdict.UNDECIDED


def test_absence_is_certain_only_after_the_grace() -> None:
    assert verdict(SENT, at=SENT.order.expires_at + GRACE) is Verdict.WAIT
    assert verdict(SENT, at=LONG_AFTER) is Verdict.NOT_BOOKED


@given(late=st.floats(0, 60), rounding=st.floats(-1, 1))
def test_a_purchase_booked_as_late_as_the_grace_is_found(late: float, rounding: float) -> None:
    opened = NOW + timedelta(seconds=late)
    position = booked(opened_at=opened, expiry=opened + timedelta(seconds=10 + rounding))
    assert verdict(SENT, position) is Verdict.BOOKED


@given(
    stake=st.decimals(min_value=1, max_value=1000, places=2, allow_nan=False, allow_infinity=False),
    duration=st.sampled_from([5, 10, 30, 60]),
    direction=st.sampled_from(Direction),
)
def test_an_order_always_fits_the_position_it_became(stake: Decimal, duration: int, direction: Direction) -> None:
    order = an_order(stake=stake, duration=duration, direction=direction)
    record = replace(SENT, order=order)
    position = booked(stake=stake, direction=direction, opened_at=NOW, expiry=NOW + timedelta(seconds=duration))
    assert verdict(record, position) is Verdict.BOOKED


def test_an_option_of_another_kind_does_not_fit() -> None:
    assert verdict(SENT, booked(option=OptionKind.TURBO)) is Verdict.WAIT


def test_an_option_of_another_expiration_does_not_fit() -> None:
    expiration = NOW + timedelta(seconds=60)
    order = an_order(option=OptionKind.TURBO, expiration=expiration)
    record = replace(SENT, order=order)
    assert verdict(record, booked(option=OptionKind.TURBO, expiry=expiration)) is Verdict.BOOKED
    assert verdict(record, booked(option=OptionKind.TURBO, expiry=expiration + timedelta(seconds=60))) is Verdict.WAIT
