"""What a process and the worker that runs its users' strategies say to one another: length, then msgpack."""

from typing import Any

import msgspec
import numpy as np

from libs.contracts.strategies import StrategyDescription
from libs.strategies.loading import Source
from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals

LENGTH = 4
"""Bytes, big-endian, before each message."""
LONGEST = 64 * 1024 * 1024
"""Bytes of a message."""

Parameters = dict[str, Any]


class Load(msgspec.Struct, frozen=True, tag=True):
    source: Source
    taken: tuple[str, ...]
    """Names that are not to be given again."""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    descriptions: tuple[StrategyDescription, ...]


class Check(msgspec.Struct, frozen=True, tag=True):
    """Whether the parameters are right."""

    name: str
    parameters: Parameters


class Right(msgspec.Struct, frozen=True, tag=True):
    pass


class PackedPanel(msgspec.Struct, frozen=True):
    size: int
    depth: int
    actives: tuple[int, ...]
    prices: bytes
    ends: bytes
    counts: bytes

    @classmethod
    def of(cls, panel: Panel) -> "PackedPanel":
        """A copy: the panel may go on."""
        arrays = (np.ascontiguousarray(array).tobytes() for array in (panel.prices, panel.ends, panel.counts))
        return cls(panel.size, panel.depth, tuple(panel.actives), *arrays)

    def unpacked(self) -> Panel:
        rows = len(self.actives)
        return Panel.of(
            self.size,
            self.actives,
            np.frombuffer(self.prices).reshape(4, rows, self.depth),
            np.frombuffer(self.ends, dtype=np.int64).reshape(rows, self.depth),
            np.frombuffer(self.counts, dtype=np.int64),
        )


class Evaluate(msgspec.Struct, frozen=True, tag=True):
    name: str
    parameters: Parameters
    panel: PackedPanel


class Said(msgspec.Struct, frozen=True, tag=True):
    directions: bytes
    confidences: bytes
    seconds: float
    """Of CPU."""

    def signals(self) -> Signals:
        return Signals(np.frombuffer(self.directions, dtype=np.int8), np.frombuffer(self.confidences, dtype=np.int16))


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Of a source, of parameters or of an evaluation: why not."""

    reason: str


Request = Load | Check | Evaluate
Answer = Loaded | Right | Said | Refused
