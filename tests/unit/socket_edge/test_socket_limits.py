"""A meter lets through what was allowed, however it is spread."""

from hypothesis import given
from hypothesis import strategies as st

from services.socket_edge.socket_limits import Meter


def test_twice_a_second_s_worth_at_once_and_then_the_rate() -> None:
    meter = Meter(rate=5, now=100.0)
    assert [meter.passes(100.0) for _ in range(11)] == [True] * 10 + [False]
    assert [meter.passes(100.2) for _ in range(2)] == [True, False]
    assert [meter.passes(200.0) for _ in range(11)] == [True] * 10 + [False]


@given(st.lists(st.floats(0, 2), min_size=1, max_size=200), st.integers(1, 20))
def test_never_more_than_the_rate_and_a_burst(pauses: list[float], rate: int) -> None:
    meter, now, passed = Meter(rate, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        passed += meter.passes(now)
        assert passed <= 2 * rate + rate * now + 1e-6
