"""Wins and losses in a row: whether there are more of them than chance makes."""

import math
from collections.abc import Iterable

import msgspec


class Trader(msgspec.Struct, frozen=True, kw_only=True):
    """One trader's decided trades in their order, ties left out, as far as streaks are concerned."""

    wins: int
    losses: int
    runs: int
    """Of wins or losses, as long as they last: W W L W are three."""
    longest_win: int
    longest_loss: int


class RunsTest(msgspec.Struct, frozen=True, kw_only=True):
    runs: int
    expected: float
    """So many there would be, on the average, had the same wins and losses come in any order."""
    z: float
    """Standard deviations from there; below 0 wins and losses cluster, above they alternate."""
    p_value: float
    """How likely chance alone is as far off, on either side; 0..1."""


def runs_test(traders: Iterable[Trader]) -> RunsTest | None:
    """Whether results depend on the ones before (A. Wald and J. Wolfowitz, "On a Test Whether Two Samples are from the
    Same Population", 1940). Given n₁ wins and n₂ losses of n in any order, the number of runs has the mean
    μ = 2n₁n₂/n + 1 and the variance (μ − 1)(μ − 2)/(n − 1). Traders are independent, so theirs add up. The normal
    approximation needs some ten of each. None where no order would be another one."""
    runs, expected, variance = 0, 0.0, 0.0
    for trader in traders:
        number = trader.wins + trader.losses
        if trader.wins and trader.losses:
            mean = 2 * trader.wins * trader.losses / number + 1
            runs += trader.runs
            expected += mean
            variance += (mean - 1) * (mean - 2) / (number - 1)
    if not variance:
        return None
    z = (runs - expected) / math.sqrt(variance)
    return RunsTest(runs=runs, expected=expected, z=z, p_value=math.erfc(abs(z) / math.sqrt(2)))


def chance_of_streak(trials: int, probability: float, length: int) -> float:
    """How likely `trials` independent trials, each with that `probability`, have `length` in a row (W. Feller, "An
    Introduction to Probability Theory", XIII.7): without such a streak among m are
    a(m) = a(m − 1) − (1 − p) pᵏ a(m − k − 1), for the first one ends with the k trials before m and a miss ahead."""
    if length <= 0:
        return 1.0
    if trials < length:
        return 0.0
    streak = probability**length
    without = [1.0] * length + [1.0 - streak]
    """Of the last k + 1 numbers of trials, at their remainder by k + 1."""
    for number in range(length + 1, trials + 1):
        place = number % (length + 1)
        without[place] = max(0.0, without[(number - 1) % (length + 1)] - (1 - probability) * streak * without[place])
        if without[place] < 1e-15:
            return 1.0
    return 1.0 - without[trials % (length + 1)]


def chance_of_longest_loss(traders: Iterable[Trader]) -> float | None:
    """How likely any trader has as many losses in a row as the longest there are, or more, if each trade is lost with
    that trader's rate whatever came before. None without a loss."""
    traders = tuple(traders)
    longest = max((trader.longest_loss for trader in traders), default=0)
    if not longest:
        return None
    nobody = 1.0
    for trader in traders:
        if number := trader.wins + trader.losses:
            nobody *= 1.0 - chance_of_streak(number, trader.losses / number, longest)
    return 1.0 - nobody
