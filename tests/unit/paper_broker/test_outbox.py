import asyncio

import pytest

from services.paper_broker.outbox import MAX_WAITING, Outbox, Overflow


class Wire:
    """The other end: reads when it is let."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.reads = asyncio.Event()
        self.fails = False
        self.takes = False
        """A frame at once."""

    async def send(self, frame: bytes) -> None:
        await self.reads.wait()
        if self.fails:
            raise ConnectionResetError
        self.sent.append(frame)

    def write(self, frame: bytes) -> bool:
        if self.takes:
            self.sent.append(frame)
        return self.takes


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def outbox(wire: Wire) -> Outbox:
    return Outbox(wire.send, wire.write)


async def test_frames_are_sent_in_order(wire: Wire, outbox: Outbox) -> None:
    pump = asyncio.create_task(outbox.pump())
    wire.reads.set()
    outbox.put(b"1")
    outbox.put_latest(("candle",), b"2")
    outbox.put(b"3")
    await settle()
    outbox.put(b"4")
    await settle()
    assert wire.sent == [b"1", b"2", b"3", b"4"]
    pump.cancel()


async def test_a_slow_reader_gets_the_newest_of_each_key(wire: Wire, outbox: Outbox) -> None:
    pump = asyncio.create_task(outbox.pump())
    outbox.put(b"first")
    await settle()
    for number in range(10_000):
        outbox.put_latest("candle", b"candle %d" % number)
        outbox.put_latest("quote", b"quote %d" % number)
    outbox.put(b"last")
    wire.reads.set()
    await settle()
    assert wire.sent == [b"first", b"candle 9999", b"quote 9999", b"last"]
    pump.cancel()


async def test_other_frames_are_never_dropped_but_too_many_are_an_overflow(outbox: Outbox) -> None:
    for number in range(MAX_WAITING):
        outbox.put(b"%d" % number)
    with pytest.raises(Overflow):
        outbox.put(b"one too many")
    assert list(outbox.take()) == [b"%d" % number for number in range(MAX_WAITING)]


async def test_there_is_no_room_while_answers_wait(wire: Wire, outbox: Outbox) -> None:
    await outbox.room()
    for _ in range(100):
        outbox.put(b"answer")
    waiting = asyncio.create_task(outbox.room())
    await settle()
    assert not waiting.done()
    pump = asyncio.create_task(outbox.pump())
    wire.reads.set()
    await asyncio.wait_for(waiting, 1)
    pump.cancel()


async def test_who_waits_for_room_learns_of_the_end(wire: Wire, outbox: Outbox) -> None:
    for _ in range(100):
        outbox.put(b"answer")
    pump = asyncio.create_task(outbox.pump())
    wire.fails = True
    wire.reads.set()
    await asyncio.wait_for(outbox.room(), 1)
    with pytest.raises(ConnectionResetError):
        await pump


async def test_a_stalled_outbox_sends_nothing_until_it_goes_on(wire: Wire, outbox: Outbox) -> None:
    pump = asyncio.create_task(outbox.pump())
    wire.reads.set()
    outbox.stall()
    outbox.put(b"1")
    outbox.put(b"2")
    await settle()
    assert wire.sent == []
    outbox.resume()
    await settle()
    assert wire.sent == [b"1", b"2"]
    pump.cancel()


async def test_a_connection_that_takes_more_gets_a_frame_at_once(wire: Wire, outbox: Outbox) -> None:
    wire.takes = True
    outbox.put(b"1")
    outbox.put_latest("candle", b"2")
    assert wire.sent == [b"1", b"2"]
    assert list(outbox.take()) == []


async def test_nothing_overtakes_what_waits(wire: Wire, outbox: Outbox) -> None:
    pump = asyncio.create_task(outbox.pump())
    wire.reads.set()
    outbox.put(b"1")
    wire.takes = True
    outbox.put(b"2")
    outbox.put_latest("candle", b"3")
    assert wire.sent == []
    await settle()
    outbox.put(b"4")
    assert wire.sent == [b"1", b"2", b"3", b"4"]
    pump.cancel()


async def test_a_stalled_outbox_writes_nothing_at_once(wire: Wire, outbox: Outbox) -> None:
    wire.takes = True
    outbox.stall()
    outbox.put(b"1")
    assert wire.sent == []
