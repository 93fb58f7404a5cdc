import numpy as np
import pytest

from libs.strategies.rounding import half_up


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(37.5, 38), (38.5, 39), (37.49999999999999, 37), (83.5, 84), (30.0, 30), (31.99999999999999, 32), (-0.5, 0)],
)
def test_halves_go_up(value: float, rounded: int) -> None:
    assert half_up(np.array([value]))[0] == rounded
