from libs.contracts.orders import Direction
from libs.strategies.strategy import CALL, NONE, PUT
from services.bot_runtime.board import NEEDED_CANDLES
from tests.messages import NOW, a_candle
from tests.unit.bot_runtime.builders import END, a_board, a_panel


def test_signals_are_ranked_by_confidence_then_active() -> None:
    board = a_board({4: (CALL, 60), 2: (PUT, 60), 9: (CALL, 70), 1: (NONE, 0)})
    assert list(board.ranked()) == [9, 2, 4]


def test_a_signal_says_what_it_was_computed_on() -> None:
    signal = a_board({7: (PUT, 55)}).signal(7)
    assert signal is not None
    assert (signal.active_id, signal.size, signal.candle_end, signal.strategy) == (7, 10, END, "scripted")
    assert (signal.direction, signal.confidence, signal.at) == (Direction.PUT, 55, NOW)
    assert signal.price == a_candle().close


def test_the_same_candle_gives_the_same_signal_id() -> None:
    first, again = a_board({7: (PUT, 55)}).signal(7), a_board({7: (PUT, 55)}).signal(7)
    later = a_board({7: (PUT, 55)}, a_panel(7, end=END + 10), end=END + 10).signal(7)
    assert first is not None
    assert again is not None
    assert later is not None
    assert first.id == again.id != later.id


def test_an_active_without_a_signal_is_not_on_it() -> None:
    assert a_board({7: (NONE, 0)}).signal(7) is None
    assert a_board({7: (PUT, 55)}).signal(8) is None


def test_too_few_candles_are_not_traded_on() -> None:
    panel = a_panel(1, count=NEEDED_CANDLES - 1)
    assert a_board({1: (CALL, 60)}, panel).signal(1) is None
    panel.append(a_candle(active_id=1, size=10, id=NEEDED_CANDLES, end=END + 10))
    assert a_board({1: (CALL, 60)}, panel, end=END + 10).signal(1) is not None


def test_an_active_whose_candle_has_not_closed_in_this_round_is_not_on_it() -> None:
    panel = a_panel(1, 2)
    panel.append(a_candle(active_id=2, size=10, id=NEEDED_CANDLES + 1, end=END + 10))
    board = a_board({1: (CALL, 90), 2: (PUT, 50)}, panel, end=END + 10)
    assert list(board.ranked()) == [2]


def test_other_parameters_are_another_signal() -> None:
    first, other = a_board({7: (PUT, 55)}).signal(7), a_board({7: (PUT, 55)}, parameters='{"a":1}').signal(7)
    assert first is not None
    assert other is not None
    assert first.id != other.id


def test_it_tells_bots_with_the_same_size_strategy_and_parameters() -> None:
    board = a_board({7: (PUT, 55)}, parameters='{"a":1}')
    assert board.tells(10, "scripted", '{"a":1}')
    assert not board.tells(30, "scripted", '{"a":1}')
    assert not board.tells(10, "balanced", '{"a":1}')
    assert not board.tells(10, "scripted", "{}")
