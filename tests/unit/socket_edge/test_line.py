"""The same order and numbers, whoever reads the stream, and from wherever."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.bus import Stored
from libs.contracts import subjects
from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import Activity, BotConfig, BotSignal, BotState, BotStatus, Signal
from libs.contracts.codec import encode
from libs.contracts.orders import Direction, TradeRecorded
from services.socket_edge.line import SLOTS, Line, Told
from services.socket_edge.sequence import PATIENCE
from services.socket_edge.user_events import LOOKBACK
from tests.messages import NOW, USER, a_closing, a_score, an_opening, an_order

START = 1_795_000_000_000


def a_line(bot: BotStatus | None = None) -> Line:
    return Line(lambda: bot)


def a_status(activity: Activity = Activity.ANALYZING, order: str | None = None, **changes: Any) -> BotStatus:
    fields: dict[str, Any] = {
        "id": "status-1", "user": USER, "at": NOW, "run": "run-1", "number": 3, "state": BotState.RUNNING,
        "activity": activity, "label": "…", "config": BotConfig(), "started_at": NOW, "order_id": order,
    }  # fmt: skip
    return BotStatus(**fields | changes)


def closed(order: str) -> TradeRecorded:
    return TradeRecorded(id=f"{order}.closed", at=NOW, trade_id=7, closed=a_closing(order=an_order(order_id=order)))


def stored(number: int, kind: str, message: msgspec.Struct, at: float = 0.0) -> Stored:
    return Stored(subjects.news(USER, kind), encode(message), START + number, 1000.0 + at)


def names(told: list[Told]) -> list[str]:
    return [each.emission.name for each in told]


def seqs(told: list[Told]) -> list[int]:
    return [each.seq - START * SLOTS for each in told]


def test_a_number_is_of_the_message_and_its_place_in_it() -> None:
    line = a_line()
    assert seqs(line.add(stored(5, "trade", closed("a")))) == [5 * SLOTS, 5 * SLOTS + 1]
    assert seqs(line.add(stored(9, "score", a_score(order_id="a")))) == [9 * SLOTS]


def test_what_was_held_follows_what_it_waited_for() -> None:
    line = a_line()
    assert line.add(stored(1, "score", a_score(order_id="a"))) == []
    assert line.add(stored(2, "status", a_status(Activity.WIN, "a"))) == []
    told = line.add(stored(3, "trade", closed("a"), at=1.0))
    assert names(told) == ["position:closed", "trade_completed", "pnl_update", "bot_status", "bot:status-update"]
    assert seqs(told) == [3 * SLOTS + place for place in range(5)]
    assert seqs(line.add(stored(4, "status", a_status()))) == [4 * SLOTS, 4 * SLOTS + 1]


def test_a_wait_ends_by_the_clock_of_the_stream() -> None:
    line = a_line()
    line.add(stored(1, "score", a_score(order_id="a")))
    assert line.deadline == 1000.0 + PATIENCE
    told = line.add(stored(2, "trade", closed("a"), at=PATIENCE + 0.1))
    assert names(told) == ["pnl_update", "position:closed", "trade_completed"]
    assert seqs(told) == [SLOTS, 2 * SLOTS, 2 * SLOTS + 1]


def test_each_event_names_the_one_before_in_its_namespace() -> None:
    line = a_line()
    opened = TradeRecorded(id="1", at=NOW, trade_id=7, opened=an_opening())
    told = line.add(stored(1, "trade", opened)) + line.add(stored(2, "status", a_status()))
    assert [(each.emission.namespace, each.payload.prev_seq) for each in told] == [
        ("/", 0), ("/bot", 0), ("/", told[0].seq), ("/", told[2].seq)
    ]  # fmt: skip


def test_what_it_has_told_completely() -> None:
    line = a_line()
    line.add(stored(1, "status", a_status()))
    assert line.covered(START + 4) == (START + 5) * SLOTS - 1
    line.add(stored(6, "score", a_score(order_id="a")))
    line.add(stored(7, "status", a_status()))
    assert line.covered(START + 7) == (START + 6) * SLOTS - 1, "the score is held, and will have its own number"
    line.due(2000.0)
    assert line.covered(START + 7) == (START + 8) * SLOTS - 1


def test_balances_and_followed_signals_are_told() -> None:
    line = a_line()
    balance = Balance(id=1, type=AccountType.DEMO, amount=Decimal("9.5"), currency="USD")
    (told,) = line.add(stored(1, "balance", Balances(user=USER, at=NOW, balances=(balance,))))
    assert told.emission.name == "balance:update"
    signal = Signal(
        id="s", at=NOW, active_id=76, size=60, candle_end=60, strategy="x", direction=Direction.PUT, confidence=70
    )
    (told,) = line.add(stored(2, "signal", BotSignal(user=USER, at=NOW, run="r", order_id="o", signal=signal)))
    assert (told.emission.name, told.emission.namespace) == ("signal:new", "/bot")


@pytest.mark.parametrize("alive", [True, False])
def test_a_connection_is_told_and_does_not_hide_a_running_bot(alive: bool) -> None:
    bot = a_status(Activity.WIN, "a", state=BotState.RUNNING if alive else BotState.STOPPED)
    session = SessionStatus(user=USER, at=NOW, state=SessionState.CONNECTED)
    told = a_line(bot).add(stored(1, "session", session))
    assert names(told) == (["bot_status", "bot:status-update"] if alive else ["bot:status-update"])


@pytest.mark.parametrize("message", [b"", b"{}", b"no json", b'{"id": 5}'])
def test_what_cannot_be_read_is_left_out(message: bytes) -> None:
    line = a_line()
    assert line.add(Stored(subjects.news(USER, "status"), message, START, 1000.0)) == []
    assert line.add(Stored(subjects.news(USER, "novelty"), message, START + 1, 1000.0)) == []


def test_a_repeated_trade_is_told_once() -> None:
    line = a_line()
    assert len(line.add(stored(1, "trade", closed("a")))) == 2
    assert line.add(stored(2, "trade", closed("a"))) == []


MESSAGES = st.one_of(
    st.builds(lambda order: ("trade", closed(order)), st.sampled_from("abcd")),
    st.builds(lambda order: ("score", a_score(order_id=order)), st.sampled_from("abcd")),
    st.builds(lambda order: ("status", a_status(Activity.WIN, order)), st.sampled_from("abcd")),
    st.just(("status", a_status())),
)


@settings(deadline=None)
@given(st.lists(st.tuples(MESSAGES, st.floats(0.01, 3.0)), max_size=25), st.integers(0, 25))
def test_whoever_begins_later_tells_the_same(arrivals: list[tuple[tuple[str, Any], float]], last: int) -> None:
    """Another edge, asked for what came after any event, reads from a little before it."""
    at, messages = 0.0, []
    for number, ((kind, message), pause) in enumerate(arrivals):
        at += pause
        messages.append(stored(number, kind, message, at))
    ids = [decoded for each in messages if each.subject.endswith("trade") for decoded in [each.data]]
    if len(ids) != len(set(ids)):
        return  # a repetition minutes later is not what this is about
    told = everything(messages, at)
    assert [each.seq for each in told] == sorted({each.seq for each in told})
    if not told:
        return
    seen = told[min(last, len(told) - 1)].seq
    number = seen // SLOTS
    begin = next(each.at for each in messages if each.sequence == number) - LOOKBACK
    again = everything([each for each in messages if each.at >= begin], at)
    assert [(each.seq, each.emission.name) for each in again if each.seq > seen] == [
        (each.seq, each.emission.name) for each in told if each.seq > seen
    ]


def everything(messages: list[Stored], until: float) -> list[Told]:
    line = a_line()
    told = [told for message in messages for told in line.add(message)]
    return told + line.due(1000.0 + until + PATIENCE)
