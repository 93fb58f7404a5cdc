from typing import ClassVar

from libs.contracts.orders import Direction
from libs.contracts.scanner import StrategySignal
from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals, Strategy
from services.bot_runtime.board import NEEDED_CANDLES
from services.bot_runtime.scanner.evaluation import Hearing
from tests.messages import a_candle
from tests.unit.bot_runtime.builders import Scripted, a_panel


class Broken(Strategy, frozen=True):
    name: ClassVar[str] = "broken"

    def evaluate(self, panel: Panel) -> Signals:
        raise ZeroDivisionError


class Second(Scripted, frozen=True):
    name: ClassVar[str] = "second"


def evaluate(panel: Panel, actives: set[int], strategies: list[Strategy]) -> dict[int, tuple[StrategySignal, ...]]:
    hearing = Hearing(panel, actives)
    hearing.ask(strategies)
    return hearing.heard()


def test_every_strategy_is_heard_on_every_active_that_is_asked_about() -> None:
    said = evaluate(a_panel(1, 2, 3), {1, 2}, [Scripted({1: (1, 60), 2: (0, 0), 3: (1, 70)}), Second({1: (-1, 55)})])
    assert said == {
        1: (
            StrategySignal(strategy="scripted", direction=Direction.CALL, confidence=60),
            StrategySignal(strategy="second", direction=Direction.PUT, confidence=55),
        ),
        2: (),
    }


def test_a_strategy_that_fails_does_not_silence_the_others() -> None:
    said = evaluate(a_panel(1), {1}, [Broken(), Scripted({1: (1, 60)})])
    assert [signal.strategy for signal in said[1]] == ["scripted"]


def test_too_few_candles_are_no_ground_for_a_signal() -> None:
    assert evaluate(a_panel(1, count=NEEDED_CANDLES - 1), {1}, [Scripted({1: (1, 60)})]) == {1: ()}
    assert evaluate(a_panel(1, count=NEEDED_CANDLES), {1}, [Scripted({1: (1, 60)})])[1]


def test_what_is_heard_late_is_of_the_panel_as_it_was() -> None:
    panel = a_panel(1, 2)
    hearing = Hearing(panel, {2})
    signals = Scripted({1: (1, 60), 2: (-1, 70)}).evaluate(panel)
    panel.clear(2)
    panel.append(a_candle(active_id=3, size=10))
    hearing.hear("late", signals)
    assert hearing.heard() == {2: (StrategySignal(strategy="late", direction=Direction.PUT, confidence=70),)}
