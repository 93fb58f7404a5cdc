"""Strategies as users write them: a good one, and what can be wrong with one."""

from pathlib import Path

GOOD = '''
from typing import Annotated, ClassVar

from msgspec import Meta

from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals, Strategy


class Follow(Strategy, frozen=True, kw_only=True):
    """Follows the last candle."""

    name: ClassVar[str] = "follow"

    least: Annotated[float, Meta(ge=0, le=1, description="Least move that is followed.")] = 0.0

    @property
    def warm_up(self) -> int:
        return 1

    def evaluate(self, panel: Panel) -> Signals:
        move = panel.close[:, -1] - panel.open[:, -1]
        # here
        return Signals.where(move > self.least, move < -self.least, 60)
'''


def write(directory: Path, name: str, instead: str = "", *changes: tuple[str, str]) -> Path:
    """A strategy of that name in a file of that name; `instead` is run before it answers."""
    text = GOOD.replace('"follow"', f'"{name}"').replace("# here", instead)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = directory / f"{name.replace('-', '_')}.py"
    path.write_text(text)
    return path


def only_with(parameter: str, then: str) -> str:
    """Misbehaves with that value of `least` and is good with others, so that it is loaded."""
    return f"if self.least == {parameter}: {then}"
