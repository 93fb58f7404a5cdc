"""Nothing of ours is reached by an address that somebody has written down, whatever it is written as."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
from aiohttp import web

from services.crm.sending.outside import NoAnswer, NotAllowed, Outside, is_public
from tests.ports import free_port

INSIDE = (
    "127.0.0.1", "127.1.2.3", "0.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1",
    "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    "2002:a00:1::", "2001:0:7f00:1::", "::127.0.0.1",
)  # fmt: skip
BAD = (
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "https://", "https:///x",
    "https://user@example.com/", "https://user:word@example.com/", "https://example.com:22/", "https://example.com:25/",
    "https://example.com:80/", "https://[::1", "//example.com/", "javascript:alert(1)", "https://[::ffff:127.0.0.1]/",
    "https://[::1]/", "https://127.0.0.1/", "https://127.0.0.1:8443/", "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/", "https://10.0.0.1/", "https://192.168.0.1/", "https://0.0.0.0/",
)  # fmt: skip
ODD = (
    "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
    "https://017700000001/", "https://localhost/", "https://127.0.0.1.nip.invalid/", "https://①②⑦.⓪.⓪.①/",
)  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_what_is_outside(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    made = Outside()
    yield made
    await made.close()


@pytest.mark.parametrize("url", BAD)
async def test_what_is_refused_before_it_is_looked_up(outside: Outside, url: str) -> None:
    with pytest.raises(NotAllowed):
        outside.check(url)


@pytest.mark.parametrize("url", ODD)
async def test_other_ways_to_write_this_machine(url: str) -> None:
    async def as_here(host: str, port: int) -> list[str]:
        """Numbers as every resolver reads them; names stand for this machine."""
        if not host[0].isdecimal() or host.endswith("invalid"):
            return ["127.0.0.1"]
        found = await asyncio.get_running_loop().getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)
        return [str(place[4][0]) for place in found]

    made = Outside(resolve=as_here)
    with pytest.raises(NotAllowed):
        await made.post(url, b"", {})
    await made.close()


async def test_a_name_that_stands_for_an_address_inside_as_well_is_refused() -> None:
    async def both(_host: str, _port: int) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    made = Outside(resolve=both)
    with pytest.raises(NotAllowed, match="private network"):
        await made.post("https://receiver.example.test/", b"", {})
    with pytest.raises(NotAllowed):
        async with made.connected("mail.example.test", 587):
            pass
    await made.close()


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that stands for something else the next time it is asked (DNS rebinding) is asked once."""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["198.41.0.4"] if len(asked) == 1 else ["127.0.0.1"]

    made = Outside(resolve=rebinding)
    connected: list[object] = []
    loop = asyncio.get_running_loop()
    real = loop.sock_connect

    async def connecting(sock: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError

    loop.sock_connect = connecting  # type: ignore[method-assign, assignment]
    try:
        with pytest.raises(NoAnswer):
            await made.post("https://receiver.example.test/", b"", {})
    finally:
        loop.sock_connect = real  # type: ignore[method-assign]
        await made.close()
    assert (asked, connected) == (["receiver.example.test"], ["198.41.0.4"])


async def test_a_name_that_is_not_known_now_may_be_known_later() -> None:
    async def nobody(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    made = Outside(resolve=nobody)
    with pytest.raises(NoAnswer, match=r"^no connection: receiver\.example\.test is not known$"):
        await made.post("https://receiver.example.test/", b"", {})
    with pytest.raises(NoAnswer):
        async with made.connected("mail.example.test", 587):
            pass
    await made.close()


async def test_of_several_addresses_one_that_answers_is_enough() -> None:
    async def both(_host: str, _port: int) -> list[str]:
        return ["::1", "127.0.0.1"]

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = Outside(private=True, resolve=both)
    async with made.connected("mail.example.test", port) as opened:
        assert opened.getpeername()[0] == "127.0.0.1"
        opened.close()
    server.close()
    await server.wait_closed()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        async with made.connected("mail.example.test", port):
            pass
    await made.close()


@pytest.fixture
async def receiver() -> AsyncIterator[str]:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/taken"})

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1_000_000)

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(2**25)), headers={"Content-Encoding": "gzip"})

    app, port = web.Application(), free_port()
    app.router.add_post("/redirect", redirect)
    app.router.add_post("/large", large)
    app.router.add_post("/bomb", bomb)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def test_nobody_is_sent_on_and_no_answer_is_read_for_ever(receiver: str) -> None:
    made = Outside(private=True)
    assert (await made.post(f"{receiver}/redirect", b"", {})).status == 302
    assert len((await made.post(f"{receiver}/large", b"", {})).body) <= 64 * 1024
    bomb = (await made.post(f"{receiver}/bomb", b"", {})).body
    assert bomb[:2] == b"\x1f\x8b", "what is packed stays packed"
    with pytest.raises(NoAnswer):
        await made.post(f"http://127.0.0.1:{free_port()}/", b"", {})
    await made.close()
