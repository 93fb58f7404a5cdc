"""Rounding as the original strategies round."""

import numpy as np

from libs.strategies.panel import Floats


def half_up(values: Floats) -> Floats:
    """JavaScript's `Math.round`: to the nearest integer, halves towards +∞ (numpy and Python round them to even).

    Exact for confidences: below 2^51 adding ½ loses nothing but for the one float just under 0.5.
    """
    return np.floor(values + 0.5)
