"""Noise that is looked up, not drawn: the same key, index and lane always give the same bits.

Nothing is kept between calls, so any part of any history can be made at any time and in any order.
The shapes come from quantile tables instead of `log` and `cos`, whose last bit depends on the processor.
"""

from hashlib import blake2b
from math import log
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
"""64 random bits each; the functions below use different ones of them."""

_FIELD = 12
_QUANTILES = 1 << _FIELD
_MASK = np.uint64(_QUANTILES - 1)
_DIE_MASK = np.uint64((1 << 24) - 1)
_LEVELS = [(step + 0.5) / _QUANTILES for step in range(_QUANTILES)]
_NORMAL = np.array([NormalDist().inv_cdf(level) for level in _LEVELS])
_EXPONENTIAL = np.array([-log(1 - level) for level in _LEVELS])


def key(*parts: str | int) -> int:
    """A stream of its own for everything that has a name."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def words(stream: int, first: int, count: int, lanes: int = 1) -> Words:
    """Shape (count, lanes): one word for each of the indices from `first` on, and each lane."""
    index = np.arange(first, first + count, dtype=np.int64).astype(np.uint64)
    lane = np.arange(lanes, dtype=np.uint64)
    return _mixed(_mixed(index + np.uint64(stream))[:, None] + lane[None, :])


def normal(word: Words) -> Floats:
    """Standard normal, cut at ±3.7."""
    values: Floats = _NORMAL[word & _MASK]
    return values


def exponential(word: Words, *, second: bool = False) -> Floats:
    """Of mean 1, cut at 9; a word holds two that are independent."""
    values: Floats = _EXPONENTIAL[(word >> np.uint64(_FIELD * (2 if second else 1))) & _MASK]
    return values


def coin(word: Words) -> npt.NDArray[np.bool_]:
    return (word >> np.uint64(63)).astype(np.bool_)


def die(word: Words, sides: int) -> Integers:
    """From 0 to `sides` - 1; of bits that no other shape uses."""
    return (((word >> np.uint64(3 * _FIELD)) & _DIE_MASK) % np.uint64(sides)).astype(np.int64)


def _mixed(word: Words) -> Words:
    """splitmix64, whose every output bit depends on every input bit."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
