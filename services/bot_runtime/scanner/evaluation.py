"""What every strategy says of a panel, in one pass."""

from collections.abc import Collection, Iterable

import numpy as np
import structlog

from libs.contracts.orders import Direction
from libs.contracts.scanner import StrategySignal
from libs.strategies.panel import Panel
from libs.strategies.strategy import CALL, NONE, Signals, Strategy
from services.bot_runtime.board import NEEDED_CANDLES

log = structlog.get_logger()


class Hearing:
    """Signals on these actives, as far as they have candles enough. Strategies may be heard when the panel has gone
    on."""

    def __init__(self, panel: Panel, actives: Collection[int]) -> None:
        self.panel = panel
        self._actives = panel.actives
        self._asked = np.isin(np.array(panel.actives), list(actives)) & (panel.counts >= NEEDED_CANDLES)
        self._found: dict[int, list[StrategySignal]] = {active_id: [] for active_id in actives}

    def ask(self, strategies: Iterable[Strategy]) -> None:
        """A strategy that fails says nothing; the others are heard."""
        for strategy in strategies:
            try:
                self.hear(strategy.name, strategy.evaluate(self.panel))
            except Exception:
                log.exception("strategy_failed", strategy=strategy.name, size=self.panel.size)

    def hear(self, strategy: str, signals: Signals) -> None:
        rows = np.flatnonzero(self._asked & (signals.directions != NONE))
        directions, confidences = signals.directions[rows].tolist(), signals.confidences[rows].tolist()
        for row, direction, confidence in zip(rows.tolist(), directions, confidences, strict=True):
            self._found[self._actives[row]].append(
                StrategySignal(
                    strategy=strategy,
                    direction=Direction.CALL if direction == CALL else Direction.PUT,
                    confidence=confidence,
                )
            )

    def heard(self) -> dict[int, tuple[StrategySignal, ...]]:
        return {active_id: tuple(signals) for active_id, signals in self._found.items()}
