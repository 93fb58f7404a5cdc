"""What is true of every built-in strategy."""

import math
import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.strategies.aggressive import Aggressive
from libs.strategies.balanced import Balanced
from libs.strategies.conservative import Conservative
from libs.strategies.panel import Panel
from libs.strategies.registry import BUILT_IN, STRATEGIES
from libs.strategies.strategy import CALL, DEPTH, NONE, PUT, Strategy
from libs.strategies.support_resistance import SupportResistance
from tests.unit.strategies.series import Prices, candle, panel_of, random_walk, verdicts

VARIANTS: list[Strategy] = [
    *STRATEGIES.values(),
    Balanced(variant="consensus"),
    Conservative(tolerance_of="bands", tolerance=0.05),
    SupportResistance(variant="bounce", zone_width=2),
]
SYMMETRIC = [strategy for strategy in VARIANTS if strategy.name != "aggressive" and strategy != Conservative()]

grid_series = st.lists(
    st.tuples(st.integers(800, 806), st.integers(800, 806), st.integers(0, 3), st.integers(0, 3)).map(candle),
    min_size=1,
    max_size=80,
)


def by_variant(strategies: Sequence[Strategy]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "strategy", strategies, ids=[f"{strategy.name}-{number}" for number, strategy in enumerate(strategies)]
    )


@by_variant(SYMMETRIC)
@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), count=st.integers(60, 90))
def test_mirrored_prices_give_the_other_direction(strategy: Strategy, seed: int, count: int) -> None:
    prices = random_walk(random.Random(seed), count, 0.01)
    mirrored = [(3 - first, 3 - low, 3 - high, 3 - last) for first, high, low, last in prices]
    [(direction, confidence)], [(other, same)] = verdicts(strategy, prices), verdicts(strategy, mirrored)
    assert other == -direction
    assert abs(confidence - same) <= 1  # 3 - x rounds


@by_variant(VARIANTS)
@settings(max_examples=20)
@given(series=st.lists(grid_series, min_size=1, max_size=4))
def test_a_row_is_judged_by_itself(strategy: Strategy, series: list[list[Prices]]) -> None:
    together = verdicts(strategy, *series)
    assert verdicts(strategy, *series[::-1]) == together[::-1]
    assert [verdicts(strategy, prices)[0] for prices in series] == together


@by_variant(VARIANTS)
@settings(max_examples=20)
@given(prices=grid_series)
def test_signals_are_well_formed(strategy: Strategy, prices: list[Prices]) -> None:
    panel = panel_of(prices, [], depth=DEPTH)
    before = panel.close.copy()
    signals = strategy.evaluate(panel)
    assert signals.directions.dtype == np.int8
    assert signals.confidences.dtype == np.int16
    assert set(signals.directions.tolist()) <= {CALL, PUT, NONE}
    for direction, confidence in zip(signals.directions.tolist(), signals.confidences.tolist(), strict=True):
        assert 1 <= confidence <= 100 if direction else confidence == 0
    assert signals.directions[1] == NONE
    assert np.array_equal(panel.close, before, equal_nan=True)


@by_variant(VARIANTS)
def test_it_is_silent_before_its_warm_up_and_speaks_after(strategy: Strategy) -> None:
    walks = [random_walk(random.Random(seed), DEPTH, 1e-3) for seed in range(500)]
    assert 1 <= strategy.warm_up <= DEPTH
    short = verdicts(strategy, *(walk[: strategy.warm_up - 1] for walk in walks[:50]))
    assert {direction for direction, _ in short} == {NONE}
    assert {direction for direction, _ in verdicts(strategy, *walks)} >= {CALL, PUT}


@by_variant(VARIANTS)
@pytest.mark.parametrize("depth", [1, 2, 5, 20])
def test_a_panel_too_shallow_is_no_error(strategy: Strategy, depth: int) -> None:
    verdicts(strategy, random_walk(random.Random(1), 60, 1e-3), depth=depth)
    assert verdicts(strategy, depth=depth) == []


Streaming = Aggressive | Balanced | Conservative | SupportResistance
STREAMING: list[Streaming] = [
    Aggressive(),
    Balanced(),
    Conservative(),
    Conservative(tolerance_of="bands", tolerance=0.05),
    SupportResistance(momentum=0.3, zone_width=1),
    SupportResistance(variant="bounce", reach=1, lookback=30),
]


@by_variant(STREAMING)
@pytest.mark.parametrize("silent", [0, 0.3], ids=["together", "some"])
def test_streaming_equals_evaluating(strategy: Streaming, silent: float) -> None:
    """Also when not every series has a candle each time: each is judged by its own candles."""
    rng = random.Random(5)
    walks = [random_walk(random.Random(seed), 150, 1e-3) for seed in range(8)]
    stream = strategy.stream(len(walks))
    counts, spoken = [0] * len(walks), 0
    for _ in range(140):
        quiet = [rng.random() < silent for _ in walks]
        counts = [count + (not skipped) for count, skipped in zip(counts, quiet, strict=True)]
        nothing = (math.nan,) * 4
        newest = [
            nothing if skipped else walk[count - 1] for walk, count, skipped in zip(walks, counts, quiet, strict=True)
        ]
        signals = stream.update(*np.array(newest).T)
        said = list(zip(signals.directions.tolist(), signals.confidences.tolist(), strict=True))
        whole = verdicts(strategy, *(walk[:count] for walk, count in zip(walks, counts, strict=True)))
        assert said == [(NONE, 0) if skipped else verdict for skipped, verdict in zip(quiet, whole, strict=True)]
        spoken += sum(direction != NONE for direction, _ in said)
    assert spoken


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_parameters_are_described_bounded_and_defaulted(strategy: type[Strategy]) -> None:
    [schema] = msgspec.json.schema(strategy)["$defs"].values()
    assert schema["description"]
    assert schema["additionalProperties"] is False
    for name, field in schema["properties"].items():
        assert "default" in field, name
        assert field.get("description"), name
        assert field.get("type") == "boolean" or "enum" in field or {"minimum", "exclusiveMinimum"} & field.keys(), name


def test_equal_parameters_are_one_strategy() -> None:
    assert {Balanced(), Balanced(rsi_low=35), Balanced(rsi_low=34)} == {Balanced(), Balanced(rsi_low=34)}
    assert len({strategy() for strategy in BUILT_IN}) == len(BUILT_IN)


def test_a_panel_is_evaluated_as_its_window_moves() -> None:
    """The oldest candles leave: what is said depends on those that are left alone."""
    walk = random_walk(random.Random(3), 260, 1e-3)
    for strategy in VARIANTS:
        panel: Panel = panel_of(walk, depth=DEPTH)
        assert verdicts(strategy, walk) == verdicts(strategy, walk[-DEPTH:])
        assert panel.depth == DEPTH
