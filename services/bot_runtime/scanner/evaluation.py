"""What every strategy says of a panel, in one pass."""

from collections.abc import Collection, Iterable

import numpy as np
import structlog

from libs.contracts.orders import Direction
from libs.contracts.scanner import StrategySignal
from libs.strategies.panel import Panel
from libs.strategies.strategy import CALL, NONE, Strategy
from services.bot_runtime.board import NEEDED_CANDLES

log = structlog.get_logger()


def evaluate(
    panel: Panel, actives: Collection[int], strategies: Iterable[Strategy]
) -> dict[int, tuple[StrategySignal, ...]]:
    """Signals on these actives. A strategy that fails says nothing; the others are heard."""
    asked = np.isin(np.array(panel.actives), list(actives)) & (panel.counts >= NEEDED_CANDLES)
    found: dict[int, list[StrategySignal]] = {active_id: [] for active_id in actives}
    for strategy in strategies:
        try:
            signals = strategy.evaluate(panel)
            rows = np.flatnonzero(asked & (signals.directions != NONE))
            directions, confidences = signals.directions[rows].tolist(), signals.confidences[rows].tolist()
        except Exception:
            log.exception("strategy_failed", strategy=strategy.name, size=panel.size)
            continue
        for row, direction, confidence in zip(rows.tolist(), directions, confidences, strict=True):
            found[panel.actives[row]].append(
                StrategySignal(
                    strategy=strategy.name,
                    direction=Direction.CALL if direction == CALL else Direction.PUT,
                    confidence=confidence,
                )
            )
    return {active_id: tuple(signals) for active_id, signals in found.items()}
