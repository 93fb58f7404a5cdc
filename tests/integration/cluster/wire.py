"""A wire between two servers that can be cut: a TCP proxy."""

import asyncio
from contextlib import suppress


class Wire:
    def __init__(self, port: int, to: int) -> None:
        self.port = port
        self._to = to
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """What is connected is cut off, and nobody can connect."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(writer)
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            self._end(writer)
            return
        self._links.add(there_writer)
        await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))
        self._end(writer, there_writer)

    def _end(self, *links: asyncio.StreamWriter) -> None:
        for link in links:
            link.transport.abort()
            self._links.discard(link)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
