"""`python -m tests.bench.mail_sink PORT`: a mail server that takes everything, as fast as it can, and keeps nothing."""

import asyncio
import sys

_ANSWERS = {
    b"EHLO": b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 10000000\r\n", b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}  # fmt: skip


class Sink(asyncio.Protocol):
    def __init__(self) -> None:
        self._rest = b""
        self._in_mail = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while self._step():
            pass

    def _step(self) -> bool:
        assert self._transport is not None
        end = b"\r\n.\r\n" if self._in_mail else b"\r\n"
        line, found, rest = self._rest.partition(end)
        if not found:
            return False
        self._rest = rest
        if self._in_mail:
            self._in_mail = False
            self._transport.write(b"250 taken\r\n")
            return True
        verb = line[:4].upper()
        self._in_mail = verb == b"DATA"
        self._transport.write(_ANSWERS.get(verb, b"250 OK\r\n"))
        return True


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=200)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
