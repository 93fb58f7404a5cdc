"""One measured figure."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    """`<area>.<what>_<unit>`, e.g. `e2e.candle_latency_p99_ms`."""
    value: float
    unit: str
    baseline: float | None = None
    """The same figure for something to compare with, measured in the same run."""
    ratio: float | None = None
    """value ÷ baseline, unless said otherwise by whoever measured it."""

    def __post_init__(self) -> None:
        if self.ratio is None and self.baseline:
            object.__setattr__(self, "ratio", self.value / self.baseline)

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.json").write_text(json.dumps(asdict(self)) + "\n")
