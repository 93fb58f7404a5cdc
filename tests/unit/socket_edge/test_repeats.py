"""What was asked before is answered without being read: over a real connection to aiohttp's server, whose insides this
rests on."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from services.socket_edge import repeats, wire
from services.socket_edge.errors import unauthorized
from services.socket_edge.http_server import Runner
from services.socket_edge.repeats import AGAIN, Again

GET = b"GET /now HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer one\r\n\r\n"
ECHO = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


class Site:
    """A page that says how often it was asked, and an echo."""

    def __init__(self) -> None:
        self.read = 0
        """Requests that aiohttp has read."""
        self.asked = 0
        self.admits = True
        self.refuses = False
        self.long = 0
        self.histogram = Histogram("seconds", "In this test", registry=CollectorRegistry())

    def say(self) -> dict[str, object]:
        if self.refuses:
            raise unauthorized("No more")
        self.asked += 1
        return {"asked": self.asked, "more": "x" * self.long}

    async def now(self, request: web.Request) -> web.Response:
        self.read += 1
        request[AGAIN] = Again(lambda: self.admits, lambda: wire.encode(self.say()), self.histogram)
        return web.json_response(self.say(), headers={"X-Kept": "yes"})

    async def echo(self, request: web.Request) -> web.Response:
        self.read += 1
        return web.json_response({"said": (await request.read()).decode("latin1")})


class Line:
    """A connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answer(self) -> tuple[bytes, bytes]:
        """Head and body of the next one."""
        async with asyncio.timeout(5):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return head, await self._reader.readexactly(length)

    async def ask(self, *chunks: bytes) -> tuple[bytes, bytes]:
        await self.say(*chunks)
        return await self.answer()

    async def say(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()
            await asyncio.sleep(0.005)  # so that it arrives as a chunk of its own

    async def is_closed(self) -> bool:
        async with asyncio.timeout(5):
            return await self._reader.read() == b""


@asynccontextmanager
async def served(site: Site, idle: float = 60.0) -> AsyncIterator[Callable[[], Awaitable[Line]]]:
    app = web.Application()
    app.router.add_get("/now", site.now)
    app.router.add_post("/echo", site.echo)
    runner = Runner(app, idle)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    lines: list[Line] = []

    async def connect() -> Line:
        lines.append(Line(*await asyncio.open_connection(host, port)))
        return lines[-1]

    try:
        yield connect
    finally:
        for line in lines:
            line.writer.close()
        await runner.cleanup()


async def test_what_was_asked_before_is_answered_anew_but_not_read_again() -> None:
    site = Site()
    async with served(site) as connect:
        line = await connect()
        first, one = await line.ask(GET)
        second, two = await line.ask(GET)
        assert (site.read, site.asked) == (1, 2)
        assert (one, two) == (b'{"asked": 1, "more": ""}', b'{"asked":2,"more":""}')
        fixed = [
            {each for each in head.split(b"\r\n") if not each.startswith((b"Content-Length", b"X-Request-Id", b"Date"))}
            for head in (first, second)
        ]
        assert fixed[0] == fixed[1]
        assert b"X-Request-Id: " in second
        assert b"\r\nDate: " in second
        assert (await (await connect()).ask(GET))[1] == b'{"asked":3,"more":""}', "on another connection, too"
        assert site.read == 1
        assert next(iter(site.histogram.collect())).samples[-2].value > 0, "each is measured"


async def test_what_needs_more_than_a_look_is_read() -> None:
    site = Site()
    async with served(site) as connect:
        line = await connect()
        await line.ask(GET)
        for way in ("admits", "refuses", "long"):
            before = site.read
            setattr(site, way, {"admits": False, "refuses": True, "long": 2000}[way])
            head, _ = await line.ask(GET)
            assert (site.read, head.split(b" ")[1]) == (before + 1, b"500" if way == "refuses" else b"200"), way
            site.admits, site.refuses, site.long = True, False, 0
            line = await connect()


@pytest.mark.parametrize(
    "request_",
    [
        GET.replace(b"1.1", b"1.0"),
        GET.replace(b"Host: x", b"Host: x\r\nConnection: close"),
        GET.replace(b"Host: x", b"Host: x\r\nX-Request-Id: mine"),
        GET.replace(b"Host: x", b"Host: x\r\nX-Long: " + b"x" * 5000),
    ],
    ids=["an older HTTP", "closing", "its own id", "long"],
)
async def test_what_is_not_plain_is_read_every_time(request_: bytes) -> None:
    site = Site()
    async with served(site) as connect:
        for _ in range(2):
            await (await connect()).ask(request_)
    assert site.read == 2


async def test_a_chunk_that_is_known_but_belongs_to_what_came_before_is_no_request() -> None:
    site = Site()
    async with served(site) as connect:
        await (await connect()).ask(GET)
        line = await connect()
        _, body = await line.ask(ECHO % len(GET), GET)
        assert body == b'{"said": "%b"}' % GET.replace(b"\r\n", b"\\r\\n"), "a body"
        assert (await line.ask(GET))[1].startswith(b'{"asked"'), "and what follows is one"
        line = await connect()
        await line.ask(b"GET /nothing HTTP/1.1\r\nHost: x\r\nX: ", GET)
        assert site.read == 3, "a header"
        line = await connect()
        assert (await line.ask(ECHO % 2 + b"ab" + GET[:9]))[1] == b'{"said": "ab"}'
        assert (await line.ask(GET))[0].split(b" ")[1] == b"400", "the rest of what began before"


async def test_answers_come_in_the_order_of_their_requests() -> None:
    site = Site()
    async with served(site) as connect:
        line = await connect()
        await line.ask(GET)
        await line.ask(ECHO % 2 + b"ab")
        await line.ask(GET)
        assert site.read == 2, "what was sent in between is whole"
        line.writer.write(ECHO % 2 + b"ab")
        line.writer.write(GET)
        assert (await line.answer())[1] == b'{"said": "ab"}'
        assert (await line.answer())[1].startswith(b'{"asked"')


async def test_a_connection_lives_as_long_as_it_is_used() -> None:
    site = Site()
    async with served(site, idle=1.0) as connect:
        line = await connect()
        for _ in range(7):
            await line.ask(GET)
            await asyncio.sleep(0.2)
        assert site.read == 1
        assert await line.is_closed()


async def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST", 2)
    site = Site()
    async with served(site) as connect:
        line = await connect()
        for number in (1, 2, 3, 3, 2, 1):
            await line.ask(GET.replace(b"one", b"%d" % number))
    assert site.read == 4


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


REQUESTS = st.lists(
    st.one_of(st.just(GET), st.binary(max_size=40).map(lambda body: ECHO % len(body) + body), st.just(ECHO % 57 + GET)),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(requests=REQUESTS, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_however_it_is_cut_the_same_is_answered(loop: asyncio.Runner, requests: list[bytes], cuts: list[int]) -> None:
    said = b"".join(requests)
    edges = sorted({0, *(min(cut, len(said)) for cut in cuts), len(said)})
    chunks = [said[start:end] for start, end in itertools.pairwise(edges)]

    async def answers() -> list[bytes]:
        site = Site()
        async with served(site) as connect:
            await (await connect()).ask(GET)
            line = await connect()
            await line.say(*chunks)
            return [(await line.answer())[1].replace(b" ", b"") for _ in requests]

    expected, asked = [], 1
    for request in requests:
        if request == GET:
            asked += 1
            expected.append(b'{"asked":%d,"more":""}' % asked)
        else:
            body = request.split(b"\r\n\r\n", 1)[1]
            expected.append(json.dumps({"said": body.decode("latin1")}).encode().replace(b" ", b""))
    assert loop.run(answers()) == expected
