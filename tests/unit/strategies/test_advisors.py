"""The rules of api-contract §10.7, one table per advisor."""

from collections.abc import Callable, Sequence

import pytest

from libs.strategies.advisors import Opinion, gap_hunter, level_analyst, mean_reversion, pattern_counter
from libs.strategies.panel import Panel
from tests.unit.strategies.series import Prices, bar, flat, panel_of

CALL, PUT = True, False
UP, DOWN, DOJI = bar(1.0, 1.1), bar(1.1, 1.0), bar(1.0, 1.0)


def judge(advisor: Callable[[Panel], Opinion], prices: Sequence[Prices]) -> tuple[bool, float]:
    opinion = advisor(panel_of([*flat(17, 1.0), *prices], depth=20))
    return bool(opinion.call[0]), float(opinion.confidence[0])


@pytest.mark.parametrize(
    ("last_three", "expected"),
    [
        ([UP, UP, UP], (PUT, 80)),
        ([UP, UP, DOWN], (PUT, 70)),
        ([UP, DOWN, UP], (PUT, 70)),
        ([UP, UP, DOJI], (PUT, 70)),
        ([DOWN, DOWN, DOWN], (CALL, 80)),
        ([DOWN, DOWN, UP], (CALL, 70)),
        ([DOJI, DOWN, DOWN], (CALL, 70)),
        ([UP, DOWN, DOJI], (PUT, 55)),
        ([DOWN, DOJI, DOJI], (PUT, 55)),
        ([DOJI, DOJI, DOJI], (PUT, 55)),
    ],
)
def test_pattern_counter(last_three: list[Prices], expected: tuple[bool, float]) -> None:
    assert judge(pattern_counter, last_three) == expected


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        # SMA20 of nineteen closes of 1 and the last one.
        (1.0, (CALL, 52)),
        (2.0, (PUT, 85)),
        (0.5, (CALL, 85)),
        (1.01, (PUT, 50 + 10 * 100 * (1.01 - 1.0005) / 1.0005)),
        (0.99, (CALL, 50 + 10 * 100 * (0.9995 - 0.99) / 0.9995)),
        (1.0379, (PUT, 85)),
        (1.03, (PUT, 50 + 10 * 100 * (1.03 - 1.0015) / 1.0015)),
    ],
)
def test_mean_reversion(close: float, expected: tuple[bool, float]) -> None:
    assert judge(mean_reversion, [*flat(2, 1.0), bar(1.0, close)]) == pytest.approx(expected)


@pytest.mark.parametrize("price", [1.08415, 0.1, 1e-8, 109.83, 67012.3])
def test_equal_closes_are_no_distance_from_their_mean(price: float) -> None:
    opinion = mean_reversion(panel_of(flat(20, price), depth=20))
    assert (bool(opinion.call[0]), float(opinion.confidence[0])) == (CALL, 52)


@pytest.mark.parametrize(
    ("previous_close", "last", "expected"),
    [
        (1.0, bar(1.01, 1.0), (PUT, 60 + 20 * 1.0)),
        (1.0, bar(0.99, 1.0), (CALL, 60 + 20 * 1.0)),
        (1.0, bar(1.01, 1.02), (PUT, 60 + 20 * 100 * 0.01 / 1.01)),  # relative to the mean of the two closes
        (1.0, bar(1.1, 1.0), (PUT, 90)),
        (1.0, bar(0.9, 1.0), (CALL, 90)),
        (1.0, bar(1.0, 1.1), (CALL, 50)),
        (1.0, bar(1.0, 0.9), (PUT, 50)),
        (1.0, bar(1.0, 1.0), (PUT, 50)),
    ],
)
def test_gap_hunter(previous_close: float, last: Prices, expected: tuple[bool, float]) -> None:
    assert judge(gap_hunter, [*flat(1, 1.0), bar(1.0, previous_close), last]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        # Support 0 and resistance 10, so that close means within 2 of one of them.
        ((5, 10, 0, 10), (PUT, 80)),
        ((5, 10, 0, 9), (PUT, 70)),
        ((5, 10, 0, 8.5), (PUT, 65)),
        ((5, 10, 0, 0), (CALL, 80)),
        ((5, 10, 0, 1), (CALL, 70)),
        ((5, 10, 0, 8), (CALL, 55)),  # exactly 20 % away is not within: the last candle rose
        ((5, 10, 0, 2), (PUT, 55)),
        ((5, 10, 0, 6), (CALL, 55)),
        ((5, 10, 0, 4), (PUT, 55)),
        ((5, 10, 0, 5), (PUT, 55)),
    ],
)
def test_level_analyst(last: Prices, expected: tuple[bool, float]) -> None:
    assert judge(level_analyst, [*flat(2, 5.0), last]) == pytest.approx(expected)


def test_the_level_analyst_looks_at_ten_candles() -> None:
    eleven_ago: Prices = (5, 100, 0, 5)
    opinion = level_analyst(panel_of([*flat(9, 5.0), eleven_ago, *flat(9, 5.0), (5, 10, 5, 10)], depth=20))
    assert (bool(opinion.call[0]), float(opinion.confidence[0])) == (PUT, 80)


def test_a_range_of_zero_is_the_middle() -> None:
    assert judge(level_analyst, flat(3, 1.0)) == (PUT, 55)
