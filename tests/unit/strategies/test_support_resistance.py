import pytest

from libs.strategies.strategy import CALL, NONE, PUT
from libs.strategies.support_resistance import SupportResistance
from tests.unit.strategies.series import Prices, verdicts

BREAKOUT = SupportResistance()
BOUNCE = SupportResistance(variant="bounce")


def wave(top: float = 106.0, bottom: float = 100.0, cycles: int = 8) -> list[Prices]:
    """Up and down between two prices, every candle a move of 1 without wicks but at the turns: ATR is about 1."""
    prices: list[Prices] = []
    steps = int(top - bottom)
    path = [bottom + step for step in range(steps)] + [top - step for step in range(steps)]
    for first, last in zip(path * cycles, [*(path * cycles)[1:], bottom], strict=True):
        prices.append((first, max(first, last), min(first, last), last))
    return prices


def approach(last: float) -> list[Prices]:
    """After the waves, back up to just under the resistance, 106."""
    prices = [*wave(), (100, 101, 100, 101), (101, 102, 101, 102), (102, 103, 102, 103), (103, 104, 103, 104)]
    return [*prices, (104, 105, 104, 105), (105, max(105, last), min(105, last), last)]


def mirrored(prices: list[Prices]) -> list[Prices]:
    return [(206 - first, 206 - low, 206 - high, 206 - last) for first, high, low, last in prices]


def test_a_strong_close_above_the_resistance_is_call() -> None:
    [(direction, confidence)] = verdicts(BREAKOUT, approach(107.5))
    assert (direction, confidence) == (CALL, 85)  # five touches and an ATR and a half beyond


def test_a_strong_close_below_the_support_is_put() -> None:
    assert verdicts(BREAKOUT, mirrored(approach(107.5))) == [(PUT, 85)]


@pytest.mark.parametrize("last", [106.0, 105.9, 104.0])
def test_a_close_inside_or_below_the_zone_is_no_breakout(last: float) -> None:
    assert verdicts(BREAKOUT, approach(last)) == [(NONE, 0)]


def test_a_weak_candle_is_no_breakout() -> None:
    weak = [*approach(106.0)[:-1], (105.8, 106.2, 105.8, 106.2)]
    assert verdicts(BREAKOUT, weak) == [(NONE, 0)]
    assert verdicts(SupportResistance(momentum=0.2), weak)[0][0] == CALL


def test_a_zone_needs_its_touches() -> None:
    assert verdicts(SupportResistance(touches=10), approach(107.5)) == [(NONE, 0)]


def test_a_candle_that_reached_the_resistance_and_closed_below_it_is_put() -> None:
    rejected = [*approach(105.5)[:-1], (105, 106.2, 105, 105.5)]
    assert verdicts(BOUNCE, rejected)[0][0] == PUT
    assert verdicts(BOUNCE, mirrored(rejected))[0][0] == CALL
    assert verdicts(BREAKOUT, rejected) == [(NONE, 0)]


def test_far_from_every_zone_is_nothing() -> None:
    middle = approach(105)[:-3]
    assert verdicts(BOUNCE, middle) == verdicts(BREAKOUT, middle) == [(NONE, 0)]


def test_it_looks_back_so_far_and_no_further() -> None:
    short = SupportResistance(lookback=10)
    assert short.warm_up == 16
    assert verdicts(short, approach(107.5)) == [(NONE, 0)]


def test_it_waits_for_its_candles() -> None:
    prices = approach(107.5)
    assert BREAKOUT.warm_up == 61
    assert verdicts(BREAKOUT, prices[-60:]) == [(NONE, 0)]
    assert verdicts(BREAKOUT, prices[-61:])[0][0] == CALL
