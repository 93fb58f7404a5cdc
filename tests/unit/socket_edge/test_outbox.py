"""A packet passes the queue by only when nothing can be overtaken."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import uvloop
from engineio.packet import MESSAGE, Packet
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from services.socket_edge.outbox import Batches, Outbox, frame


def text(data: str) -> Packet:
    return Packet(MESSAGE, data)


@pytest.mark.parametrize("length", [0, 124, 125, 126, 65_534, 65_535, 70_000])
def test_a_frame_is_what_a_websocket_library_makes(length: int) -> None:
    packet = text("x" * length)
    assert frame(packet) == Frame(Opcode.TEXT, packet.encode().encode()).serialize(mask=False)


@given(st.text())
def test_a_frame_carries_any_text(data: str) -> None:
    data = data.encode("utf-8", "ignore").decode()
    assert frame(text(data)) == Frame(Opcode.TEXT, f"4{data}".encode()).serialize(mask=False)


def test_a_frame_is_made_once() -> None:
    packet = text("x")
    assert frame(packet) is frame(packet)


class Peer:
    """The other end of a connection; reads when told to."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def read(self) -> bytes:
        return self._end.recv(1 << 20)


@pytest.fixture
async def connection() -> AsyncIterator[tuple[asyncio.Transport, Peer]]:
    near, far = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, near)
    yield transport, Peer(far)
    transport.abort()
    far.close()
    await asyncio.sleep(0)


@pytest.fixture
def engine_socket() -> SimpleNamespace:
    return SimpleNamespace(upgraded=True)


@pytest.fixture
async def outbox(connection: tuple[asyncio.Transport, Peer], engine_socket: SimpleNamespace) -> Outbox:
    outbox = Outbox(Batches())
    outbox.attach(engine_socket, connection[0])
    return outbox


async def waiting_reader(outbox: Outbox) -> asyncio.Task[Packet | None]:
    reader = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    return reader


async def test_to_a_socket_that_keeps_up_a_turn_of_the_loop_is_one_write(
    outbox: Outbox, connection: tuple[asyncio.Transport, Peer]
) -> None:
    reader = await waiting_reader(outbox)
    outbox.send(text("hello"))
    outbox.send(text("you"))
    assert (outbox.qsize(), outbox.size) == (0, 14)
    await asyncio.sleep(0)
    assert connection[1].read() == b"\x81\x064hello\x81\x044you"
    assert outbox.size == 0
    reader.cancel()


async def test_the_queue_overtakes_nothing_that_is_about_to_be_written(
    outbox: Outbox, connection: tuple[asyncio.Transport, Peer]
) -> None:
    reader = await waiting_reader(outbox)
    outbox.send(text("first"))
    await outbox.put(Packet())
    assert connection[1].read() == b"\x81\x064first"
    assert await reader is not None
    await asyncio.sleep(0)
    assert outbox.size == 0, "and it is written once"


async def test_members_of_several_rooms_get_what_is_theirs(engine_socket: SimpleNamespace) -> None:
    batches, ends = Batches(), [socket.socketpair() for _ in range(3)]
    outboxes = [Outbox(batches) for _ in ends]
    for outbox, (near, _) in zip(outboxes, ends, strict=True):
        transport, _protocol = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, near)
        outbox.attach(engine_socket, transport)
    readers = [await waiting_reader(outbox) for outbox in outboxes]
    packets = {name: text(name) for name in ("ab", "bc", "abc")}
    for name, packet in packets.items():
        for outbox, member in zip(outboxes, "abc", strict=True):
            if member in name:
                outbox.send(packet)
    await asyncio.sleep(0.02)
    got = [far.recv(1000) for _, far in ends]
    wanted = [[frame(packet) for name, packet in packets.items() if member in name] for member in "abc"]
    assert got == [b"".join(frames) for frames in wanted]
    for reader, (_, far) in zip(readers, ends, strict=True):
        reader.cancel()
        far.close()


async def test_writing_takes_half_of_the_time_at_most(engine_socket: SimpleNamespace) -> None:
    """So more goes with every write while there is more to send than can be written."""
    written: list[tuple[float, bytes]] = []

    class Slow(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            time.sleep(0.03)
            written.append((time.monotonic(), bytes(data)))

        def is_closing(self) -> bool:
            return False

        def get_write_buffer_size(self) -> int:
            return 0

    outbox = Outbox(Batches())
    outbox.attach(engine_socket, Slow())
    reader = await waiting_reader(outbox)
    for word in ("first", "second", "third"):
        outbox.send(text(word))
        await asyncio.sleep(0)
    while len(written) < 2:
        await asyncio.sleep(0.001)
    reader.cancel()
    (first, _), (second, data) = written
    assert second - first > 2 * 0.03
    assert data == frame(text("second")) + frame(text("third"))


async def test_what_the_reader_still_holds_is_not_overtaken(outbox: Outbox) -> None:
    reader = await waiting_reader(outbox)
    outbox.put_nowait(text("first"))
    outbox.send(text("second"))
    first = await reader
    outbox.send(text("third"))
    rest = [outbox.get_nowait() for _ in range(outbox.qsize())]
    assert [packet.data for packet in (first, *rest) if packet] == ["first", "second", "third"]


async def test_nothing_passes_by_before_the_upgrade(outbox: Outbox, engine_socket: SimpleNamespace) -> None:
    engine_socket.upgraded = False
    reader = await waiting_reader(outbox)
    outbox.send(text("polled"))
    packet = await reader
    assert packet is not None
    assert packet.data == "polled"


@pytest.mark.parametrize("own", [None, Packet()])
async def test_what_engine_io_sends_goes_to_the_reader(outbox: Outbox, own: Packet | None) -> None:
    reader = await waiting_reader(outbox)
    await outbox.put(own)
    assert await reader is own


async def test_behind_a_full_connection_packets_wait(outbox: Outbox) -> None:
    reader = await waiting_reader(outbox)
    for _ in range(1000):
        outbox.send(text("x" * 10_000))
    assert 900 < outbox.qsize() < 1000
    reader.cancel()


async def test_without_a_connection_packets_wait() -> None:
    outbox = Outbox(Batches())
    outbox.send(text("x"))
    assert outbox.qsize() == 1


async def test_who_polls_gets_sixteen_packets_at_once() -> None:
    """As engine.io's `poll` takes them: the first by waiting, then what is there."""
    outbox = Outbox(Batches())
    for number in range(40):
        outbox.put_nowait(text(str(number)))
    answers: list[list[str]] = []
    while not outbox.empty():
        answer = [await outbox.get()]
        while True:
            try:
                answer.append(outbox.get_nowait())
            except asyncio.QueueEmpty:
                break
        answers.append([packet.data for packet in answer if packet is not None])
    assert [len(answer) for answer in answers] == [16, 16, 8]
    assert [data for answer in answers for data in answer] == [str(number) for number in range(40)]


async def test_it_knows_about_how_many_bytes_wait() -> None:
    outbox = Outbox(Batches())
    assert outbox.size == 0
    outbox.put_nowait(text("x" * 1000))
    outbox.put_nowait(None)
    assert 1000 <= outbox.size <= 1100
    await outbox.get()
    await outbox.get()
    assert outbox.size == 0


def test_a_connection_that_is_gone_by_then_takes_nothing_from_the_others() -> None:
    """Under uvloop, where writing to a closed connection raises."""

    async def send_to_both() -> bytes:
        batches, pairs, outboxes = Batches(), [socket.socketpair() for _ in range(2)], []
        for near, _ in pairs:
            transport, _protocol = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, near)
            outbox = Outbox(batches)
            outbox.attach(SimpleNamespace(upgraded=True), transport)
            outboxes.append((outbox, transport, await waiting_reader(outbox)))
        for word in ("hello", "again"):
            for outbox, _transport, _reader in outboxes:
                outbox.send(text(word))
            await asyncio.sleep(0)  # the second one waits for its pause to end
        outboxes[0][1].abort()
        await asyncio.sleep(0.05)
        for _outbox, transport, reader in outboxes:
            reader.cancel()
            transport.abort()
        pairs[1][1].setblocking(False)
        got = pairs[1][1].recv(100)
        for _, far in pairs:
            far.close()
        return got

    assert uvloop.run(send_to_both()) == b"\x81\x064hello\x81\x064again"
