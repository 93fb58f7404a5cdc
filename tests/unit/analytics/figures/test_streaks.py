"""Streaks against every order there is, and against published cases."""

from itertools import groupby, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from services.analytics.figures.streaks import Trader, chance_of_longest_loss, chance_of_streak, runs_test


def trader(results: str) -> Trader:
    """Of letters W and L."""
    runs = [(letter, len(list(group))) for letter, group in groupby(results)]
    return Trader(
        wins=results.count("W"),
        losses=results.count("L"),
        runs=len(runs),
        longest_win=max((length for letter, length in runs if letter == "W"), default=0),
        longest_loss=max((length for letter, length in runs if letter == "L"), default=0),
    )


def test_the_test_by_hand() -> None:
    """10 of each in 11 runs are exactly what is expected; 20 alternating ones are 4.14 deviations above."""
    usual = runs_test([trader("WLLWWLLWWLLWWLLWWLLW")])
    assert usual is not None
    assert (usual.runs, usual.expected, usual.z, usual.p_value) == (11, 11, 0, 1)
    alternating = runs_test([trader("WL" * 10)])
    assert alternating is not None
    assert (alternating.runs, alternating.expected) == (20, 11)
    assert alternating.z == pytest.approx(9 / (10 * 9 / 19) ** 0.5)
    assert alternating.p_value == pytest.approx(2 * norm.sf(alternating.z))
    clustered = runs_test([trader("W" * 10 + "L" * 10)])
    assert clustered is not None
    assert clustered.z == pytest.approx(-alternating.z)


@pytest.mark.parametrize("results", ["WWL", "WWLL", "WWWLL", "WWWLLL"])
def test_mean_and_variance_are_those_of_every_order(results: str) -> None:
    orders = [trader("".join(order)).runs for order in permutations(results)]
    mean = sum(orders) / len(orders)
    variance = sum((runs - mean) ** 2 for runs in orders) / len(orders)
    tested = runs_test([trader(results)])
    assert tested is not None
    assert tested.expected == pytest.approx(mean)
    assert tested.z == pytest.approx((trader(results).runs - mean) / variance**0.5)


@given(st.lists(st.text("WL", min_size=1, max_size=12), min_size=1, max_size=6))
def test_traders_add_up(traders: list[str]) -> None:
    tested = runs_test(map(trader, traders))
    mixed = [one for one in traders if len(set(one)) == 2]
    if tested is None:
        assert all(len(one) == 2 for one in mixed)
    else:
        assert tested.runs == sum(trader(one).runs for one in mixed)
        assert 0 <= tested.p_value <= 1


def test_without_both_there_is_nothing_to_test() -> None:
    assert runs_test([]) is None
    assert runs_test([trader("WWWW"), trader("L"), trader("")]) is None
    assert runs_test([trader("WL")]) is None, "both orders have two runs"


@pytest.mark.parametrize("trials", range(9))
@pytest.mark.parametrize("length", range(1, 5))
@pytest.mark.parametrize("probability", [0.2, 0.5, 0.9])
def test_the_chance_is_that_of_counting_every_sequence(trials: int, length: int, probability: float) -> None:
    with_streak = sum(
        probability ** sum(hits) * (1 - probability) ** (trials - sum(hits))
        for hits in product((0, 1), repeat=trials)
        if any(all(hits[at : at + length]) for at in range(trials - length + 1)) and trials >= length
    )
    assert chance_of_streak(trials, probability, length) == pytest.approx(with_streak)


def test_published_chances() -> None:
    """Of 100 tosses of a coin: seven heads in a row in 32 % of the cases, ten in 4.4 %."""
    assert chance_of_streak(100, 0.5, 7) == pytest.approx(0.3175, abs=0.0001)
    assert chance_of_streak(100, 0.5, 10) == pytest.approx(0.0441, abs=0.0001)
    assert chance_of_streak(1_000_000, 0.5, 3) == 1.0


@given(st.integers(0, 300), st.floats(0, 1), st.integers(0, 20))
def test_a_chance_is_one_and_grows_with_trials(trials: int, probability: float, length: int) -> None:
    chance = chance_of_streak(trials, probability, length)
    assert 0 <= chance <= 1
    assert chance_of_streak(trials + 1, probability, length) >= chance - 1e-12


def test_the_longest_loss_of_anybody() -> None:
    assert chance_of_longest_loss([]) is None
    assert chance_of_longest_loss([trader("WW")]) is None
    assert chance_of_longest_loss([trader("LLL")]) == 1.0, "who always loses could not do otherwise"
    one = chance_of_longest_loss([trader("WLLW")])
    assert one == pytest.approx(chance_of_streak(4, 0.5, 2))
    both = chance_of_longest_loss([trader("WLLW"), trader("WLWL")])
    assert one is not None
    assert both == pytest.approx(1 - (1 - one) ** 2)
