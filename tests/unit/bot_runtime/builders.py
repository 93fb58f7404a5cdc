"""Bots, actives and boards for tests."""

from typing import Any, ClassVar

import numpy as np

from libs.contracts.bots import BotConfig
from libs.contracts.market import Active
from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals, Strategy
from services.bot_runtime.actives import Actives
from services.bot_runtime.board import NEEDED_CANDLES, Board, Moment
from services.bot_runtime.choice import Choice, choices
from tests import messages
from tests.messages import NOW, a_candle

END = 1_790_000_000


def an_active(number: int = 76, **changes: Any) -> Active:
    """Changes are of what blitz options on it offer."""
    return messages.an_active(number, f"T{number}-OTC", f"T {number}", **changes)


def actives_of(*actives: Active) -> Actives:
    known = Actives()
    known.replace(actives)
    return known


class Scripted(Strategy, frozen=True):
    """A strategy that says what the test wants: direction and confidence by active."""

    name: ClassVar[str] = "scripted"
    said: dict[int, tuple[int, int]]

    @property
    def warm_up(self) -> int:
        return 1

    def evaluate(self, panel: Panel) -> Signals:
        said = [self.said.get(active_id, (0, 0)) for active_id in panel.actives]
        return Signals(
            np.array([direction for direction, _ in said], dtype=np.int8),
            np.array([confidence for _, confidence in said], dtype=np.int16),
        )


def a_panel(*active_ids: int, count: int = NEEDED_CANDLES, end: int = END, size: int = 10) -> Panel:
    """Rows of `count` candles, the last of which ended at `end`."""
    panel = Panel(size, 50)
    for active_id in active_ids:
        panel.load(
            active_id,
            [
                a_candle(active_id=active_id, size=size, id=number, end=end - (count - number) * size)
                for number in range(1, count + 1)
            ],
        )
    return panel


def a_board(
    said: dict[int, tuple[int, int]], panel: Panel | None = None, end: int = END, parameters: str = "{}"
) -> Board:
    panel = panel or a_panel(*said)
    strategy = Scripted(said)
    return Board(Moment(panel, end), strategy.name, parameters, strategy.evaluate(panel), NOW, 0.0)


def a_choice(active_id: int = 76, direction: int = 1, confidence: int = 62) -> Choice:
    board = a_board({active_id: (direction, confidence)})
    return next(choices(BotConfig(), board, actives_of(an_active(active_id)), NOW))
