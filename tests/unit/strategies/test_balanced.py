import random

import numpy as np
import pytest
import talib

from libs.strategies.balanced import Balanced
from libs.strategies.strategy import CALL, NONE, PUT
from tests.unit.strategies.series import Prices, flat, moves, random_walk, verdicts

CONSENSUS = Balanced(variant="consensus")


def closes(prices: list[Prices]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([price[3] for price in prices])


def restated_consensus(prices: list[Prices]) -> tuple[int, int]:
    close = closes(prices)
    strength = talib.RSI(close, 14)[-1]
    line = talib.EMA(close, 12) - talib.EMA(close, 26)
    before, now = (line - talib.EMA(line, 9))[-2:]
    upper, _, lower = (band[-1] for band in talib.BBANDS(close, 20, 2, 2))
    votes = [
        CALL if strength < 35 else PUT if strength > 65 else NONE,
        CALL if now > 0 and now > before else PUT if now < 0 and now < before else NONE,
        CALL if close[-1] <= lower else PUT if close[-1] >= upper else NONE,
    ]
    for side in (CALL, PUT):
        if votes.count(side) >= 2:
            return side, 25 * votes.count(side)
    return NONE, 0


@pytest.mark.parametrize(
    ("rises", "falls", "expected"),
    [
        # Of fourteen changes alike in size: RSI is the share of rises.
        (4, 10, (CALL, 50)),  # 28.6
        (5, 9, (NONE, 0)),  # 35.7
        (9, 5, (NONE, 0)),  # 64.3
        (10, 4, (PUT, 50)),  # 71.4
        (14, 0, (PUT, 50)),
        (0, 14, (CALL, 50)),
    ],
)
def test_rsi_below_35_is_call_and_above_65_put(rises: int, falls: int, expected: tuple[int, int]) -> None:
    assert verdicts(Balanced(), moves([1 / 64] * rises + [-1 / 64] * falls)) == [expected]


def test_it_is_the_rule_of_the_contract() -> None:
    series = [random_walk(random.Random(seed), 50, 1e-4) for seed in range(500)]
    strengths = [talib.RSI(closes(prices), 14)[-1] for prices in series]
    said = verdicts(Balanced(), *series)
    assert said == [(CALL, 50) if rsi < 35 else (PUT, 50) if rsi > 65 else (NONE, 0) for rsi in strengths]
    assert set(said) == {(CALL, 50), (PUT, 50), (NONE, 0)}


def test_a_flat_market_is_put_as_in_the_original() -> None:
    assert verdicts(Balanced(), flat(50)) == [(PUT, 50)]


def test_it_needs_fifteen_closes() -> None:
    falling = moves([-0.01] * 20)
    assert verdicts(Balanced(), falling[:14]) == [(NONE, 0)]
    assert verdicts(Balanced(), falling[:15]) == [(CALL, 50)]


def test_bounds_of_the_rsi_are_parameters() -> None:
    prices = moves([1 / 64] * 5 + [-1 / 64] * 9)
    assert verdicts(Balanced(rsi_low=36), prices) == [(CALL, 50)]


def test_the_consensus_is_two_votes_of_three() -> None:
    series = [random_walk(random.Random(seed), 60, 1e-4) for seed in range(1500)]
    said = verdicts(CONSENSUS, *series)
    assert said == [restated_consensus(prices) for prices in series]
    assert {(CALL, 50), (PUT, 50), (NONE, 0)} <= set(said)


def test_bands_in_a_squeeze_do_not_vote() -> None:
    series = [random_walk(random.Random(seed), 60, 1e-4) for seed in range(1500)]
    squeezed = verdicts(Balanced(variant="consensus", squeeze=0.01), *series)
    assert sum(direction != NONE for direction, _ in squeezed) < sum(
        direction != NONE for direction, _ in verdicts(CONSENSUS, *series)
    )


def test_the_consensus_needs_the_histogram_before_the_last() -> None:
    assert CONSENSUS.warm_up == 35
    assert verdicts(CONSENSUS, flat(60)) == [(NONE, 0)]
