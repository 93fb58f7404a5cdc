"""Files on their way: whoever does not take them is not waited for."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from services.socket_edge import download
from services.socket_edge.download import Download
from tests.ports import free_port


class Source:
    """A file without an end, which knows whether anybody takes it."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.given = 0

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            while True:
                self.given += 1
                yield b"x" * 100_000
        finally:
            self.closed.set()


@pytest.fixture
async def source() -> Source:
    return Source()


@pytest.fixture
async def port(source: Source) -> AsyncIterator[int]:
    async def serve(_: web.Request) -> web.StreamResponse:
        return Download("file.csv", "text/csv", source.pieces()).response()

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield port
    await runner.cleanup()


async def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch, source: Source, port: int) -> None:
    monkeypatch.setattr(download, "_SLOWEST", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(20):
        await source.closed.wait()
    assert source.given * 100_000 < 50_000_000, "what fits into the buffers of a connection"
    writer.close()


async def test_who_leaves_ends_it(source: Source, port: int) -> None:
    async with aiohttp.ClientSession() as http:
        response = await http.get(f"http://127.0.0.1:{port}/")
        assert response.headers["Content-Disposition"] == 'attachment; filename="file.csv"'
        await response.content.readexactly(200_000)
        response.close()
        async with asyncio.timeout(20):
            await source.closed.wait()


def test_a_name_is_one() -> None:
    for name in ('a"b.csv', "a\r\nb", "", "../a"):
        with pytest.raises(ValueError, match="no name"):
            Download(name, "text/csv", Source().pieces()).response()
