"""What a socket that shows a chart is sent."""

from collections.abc import Callable
from typing import Any

import pytest
from engineio.packet import Packet

from libs.contracts.market import Candle
from services.socket_edge.candle_stream import INTERVAL, CandleStream, Watch, history
from services.socket_edge.emissions import CANDLE, CANDLE_UPDATE, Emission
from tests.messages import a_candle


class Screens:
    """Sockets that note what they get; some may be too slow to get anything."""

    def __init__(self) -> None:
        self.shown: dict[str, list[Any]] = {}
        self.encoded = 0
        self.behind: set[str] = set()

    def encode(self, emission: Emission, payload: Any) -> Packet:
        assert emission in (CANDLE_UPDATE, CANDLE)
        self.encoded += 1
        packet = Packet()
        packet.data = payload
        return packet

    def offer(self, sid: str, packet: Packet) -> bool:
        if sid in self.behind:
            return False
        self.shown.setdefault(sid, []).append(packet.data)
        return True

    def closes(self, sid: str) -> list[float]:
        return [candle.close for candle in self.shown.get(sid, [])]


class Timer:
    """Runs what was put off when told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.delays: list[float] = []

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self.delays.append(seconds)
        self.waiting.append(action)

    def elapse(self) -> None:
        waiting, self.waiting = self.waiting, []
        for action in waiting:
            action()


@pytest.fixture
def screens() -> Screens:
    return Screens()


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def stream(screens: Screens, timer: Timer) -> CandleStream:
    return CandleStream(screens, timer.later)


def watching(stream: CandleStream, sid: str, until: int = 0) -> Watch:
    watch = Watch(sid)
    stream.watches.add(watch)
    stream.begin(watch, until)
    return watch


async def receive(stream: CandleStream, *closes: float, **changes: Any) -> None:
    for close in closes:
        await stream.receive("", a_candle(close=close, **changes))


async def test_the_first_update_is_sent_at_once(stream: CandleStream, screens: Screens) -> None:
    watching(stream, "a")
    await receive(stream, 1.1)
    assert screens.closes("a") == [1.1]


async def test_a_burst_becomes_its_newest(stream: CandleStream, screens: Screens, timer: Timer) -> None:
    watching(stream, "a")
    await receive(stream, 1.1, 1.2, 1.3, 1.4)
    timer.elapse()
    assert screens.closes("a") == [1.1, 1.4]
    assert timer.delays == [INTERVAL, INTERVAL]


async def test_without_news_nothing_is_repeated(stream: CandleStream, screens: Screens, timer: Timer) -> None:
    watching(stream, "a")
    await receive(stream, 1.1)
    timer.elapse()
    assert screens.closes("a") == [1.1]
    assert timer.waiting == []


async def test_the_last_word_of_a_closed_candle_is_not_skipped(stream: CandleStream, screens: Screens) -> None:
    watching(stream, "a")
    await receive(stream, 1.1, 1.2, end=100)
    await receive(stream, 2.0, end=160)
    assert screens.closes("a") == [1.1, 1.2]


async def test_an_update_is_encoded_once_for_all(stream: CandleStream, screens: Screens) -> None:
    for sid in ("a", "b", "c"):
        watching(stream, sid)
    await receive(stream, 1.1)
    assert screens.encoded == 1
    assert set(screens.shown) == {"a", "b", "c"}


async def test_watches_of_named_feeds_are_told_the_name_and_what_was_left_out(
    stream: CandleStream, screens: Screens, timer: Timer
) -> None:
    watching(stream, "chart")
    stream.watches.add(watch := Watch("named", "EURUSD-OTC"))
    stream.begin(watch, 0)
    await receive(stream, 1.1, 1.2, 1.3)
    timer.elapse()
    assert screens.encoded == 4
    assert screens.closes("chart") == screens.closes("named") == [1.1, 1.3]
    assert [(told.asset, told.seq) for told in screens.shown["named"]] == [("EURUSD-OTC", 1), ("EURUSD-OTC", 3)]


async def test_nothing_is_sent_before_history(stream: CandleStream, screens: Screens) -> None:
    watch = Watch("a")
    stream.watches.add(watch)
    await receive(stream, 1.1)
    assert screens.shown == {}
    stream.begin(watch, until=0)
    assert screens.closes("a") == [1.1]


async def test_time_never_goes_back(stream: CandleStream, screens: Screens, timer: Timer) -> None:
    watching(stream, "a", until=160)
    await receive(stream, 1.1, end=100)
    timer.elapse()
    await receive(stream, 1.2, end=160)
    timer.elapse()
    await receive(stream, 1.3, end=100)
    timer.elapse()
    assert screens.closes("a") == [1.2]


async def test_a_slow_socket_gets_the_newest_when_it_has_caught_up(
    stream: CandleStream, screens: Screens, timer: Timer
) -> None:
    watching(stream, "slow")
    watching(stream, "fast")
    screens.behind.add("slow")
    await receive(stream, 1.1)
    timer.elapse()
    await receive(stream, 1.2)
    screens.behind.clear()
    timer.elapse()
    assert screens.closes("fast") == [1.1, 1.2]
    assert screens.closes("slow") == [1.2]


async def test_who_left_gets_nothing(stream: CandleStream, screens: Screens, timer: Timer) -> None:
    watch = watching(stream, "a")
    await receive(stream, 1.1, 1.2)
    stream.watches.discard(watch)
    timer.elapse()
    assert screens.closes("a") == [1.1]


def test_history_ascends_strictly_and_keeps_the_newer_of_two() -> None:
    def candle(end: int, close: float) -> Candle:
        return a_candle(end=end, close=close)

    told = history((candle(120, 1.0), candle(60, 2.0), candle(120, 3.0)))
    assert [(item.time, item.close) for item in told] == [(60, 2.0), (120, 3.0)]
