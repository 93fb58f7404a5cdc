from collections.abc import Sequence
from datetime import datetime

import pytest

from libs.contracts.bots import BotConfig
from libs.contracts.market import Active, Feed, TradingHours
from libs.contracts.orders import Direction
from libs.strategies.strategy import CALL, NONE, PUT
from services.bot_runtime.actives import Actives
from services.bot_runtime.board import Board
from services.bot_runtime.choice import Choice, choices, duration, feeds
from tests.messages import NOW
from tests.unit.bot_runtime.builders import a_board, a_panel, actives_of, an_active

AUTO = BotConfig()
MANUAL = BotConfig(mode="manual", asset="T2-OTC", timeframe=30)
CLOSED = (TradingHours(0, 1),)


def choose(config: BotConfig, board: Board, actives: Actives, now: datetime) -> Choice | None:
    """The first."""
    return next(choices(config, board, actives, now), None)


@pytest.mark.parametrize(
    ("confidence", "offered", "longest", "expected"),
    [
        (51, (5, 10, 30, 60), 60, 10),
        (99, (5, 10, 30, 60), 60, 10),
        (51, (5, 30, 60), 60, 5),
        (51, (30, 60), 60, 30),
        (51, (60, 120), 60, 60),
        (51, (15, 45), 60, 15),
        (50, (5, 10, 30, 60), 60, 5),
        (50, (30, 10), 60, 10),
        (51, (5, 10, 30), 9, 5),
        (51, (30, 60), 29, None),
        (51, (120,), 60, None),
        (51, (), 60, 30),
        (40, (), 30, 30),
        (51, (), 29, None),
    ],
)
def test_duration(confidence: int, offered: Sequence[int], longest: int, expected: int | None) -> None:
    assert duration(confidence, offered, longest) == expected


def test_auto_mode_takes_the_surest_signal() -> None:
    board = a_board({1: (CALL, 60), 2: (PUT, 71), 3: (CALL, 55)})
    choice = choose(AUTO, board, actives_of(an_active(1), an_active(2), an_active(3)), NOW)
    assert choice is not None
    assert (choice.active.id, choice.signal.direction, choice.signal.confidence) == (2, Direction.PUT, 71)
    assert choice.duration == 10


def test_of_equally_sure_signals_it_takes_the_lowest_active() -> None:
    board = a_board({9: (CALL, 70), 3: (PUT, 70), 5: (CALL, 70)})
    choice = choose(AUTO, board, actives_of(an_active(9), an_active(5), an_active(3)), NOW)
    assert choice is not None
    assert choice.active.id == 3


@pytest.mark.parametrize(
    "unfit",
    [an_active(2, suspended=True), an_active(2, hours=CLOSED), an_active(2, durations=(120,))],
    ids=["suspended", "closed", "only long options"],
)
def test_auto_mode_passes_over_what_cannot_be_bought_now(unfit: Active) -> None:
    board = a_board({1: (CALL, 60), 2: (PUT, 71)})
    choice = choose(AUTO, board, actives_of(an_active(1), unfit), NOW)
    assert choice is not None
    assert choice.active.id == 1


def test_auto_mode_passes_over_what_the_catalogue_no_longer_has() -> None:
    choice = choose(AUTO, a_board({1: (CALL, 60), 2: (PUT, 71)}), actives_of(an_active(1)), NOW)
    assert choice is not None
    assert choice.active.id == 1


def test_without_a_signal_there_is_no_choice() -> None:
    assert choose(AUTO, a_board({1: (NONE, 0)}), actives_of(an_active(1)), NOW) is None


def test_manual_mode_takes_its_own_asset_and_timeframe() -> None:
    board = a_board({1: (CALL, 80), 2: (PUT, 40)}, a_panel(1, 2, size=30))
    choice = choose(MANUAL, board, actives_of(an_active(1), an_active(2)), NOW)
    assert choice is not None
    assert (choice.active.id, choice.signal.direction, choice.duration) == (2, Direction.PUT, 30)
    assert choice.signal.size == 30


@pytest.mark.parametrize("asset", ["T2", "t2-otc", "T2-OTC ", "T1-OTC"])
def test_manual_mode_takes_no_asset_that_only_looks_like_it(asset: str) -> None:
    config = BotConfig(mode="manual", asset=asset)
    assert choose(config, a_board({2: (CALL, 80)}), actives_of(an_active(2)), NOW) is None


@pytest.mark.parametrize("changes", [{"suspended": True}, {"hours": CLOSED}])
def test_manual_mode_waits_while_its_asset_cannot_be_bought(changes: dict[str, object]) -> None:
    assert choose(MANUAL, a_board({2: (CALL, 80)}), actives_of(an_active(2, **changes)), NOW) is None


def test_a_choice_says_what_is_paid() -> None:
    actives = actives_of(an_active(1, payout=85), an_active(2, payout=None))
    board = a_board({1: (CALL, 60), 2: (PUT, 71)})
    assert [(choice.active.id, choice.payout) for choice in choices(AUTO, board, actives, NOW)] == [(2, 0), (1, 85)]


def test_an_auto_bot_looks_at_everything_tradable() -> None:
    actives = actives_of(an_active(1), an_active(2, suspended=True), an_active(3))
    assert set(feeds(AUTO, actives, NOW)) == {Feed(1, 10), Feed(3, 10)}


def test_a_manual_bot_looks_at_its_asset() -> None:
    actives = actives_of(an_active(1), an_active(2))
    assert set(feeds(MANUAL, actives, NOW)) == {Feed(2, 30)}
    assert set(feeds(BotConfig(mode="manual", asset="X"), actives, NOW)) == set()
