"""What comes to the port and is no request, or only the beginning of one."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from tests.integration.edge.client import Edge
from tests.integration.edge.shapes import refusal
from tests.integration.edge.stack import Stack
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def say(edge: Edge, data: bytes, seconds: float = 10.0) -> bytes:
    """What comes until the edge closes the connection."""
    where = urlsplit(edge.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(data)
    try:
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"GET /health HTTP/9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",
    ],
    ids=[
        "no request", "unknown version", "no header", "control character", "long path", "long header", "no length",
        "two lengths", "TLS",
    ],
)  # fmt: skip
async def test_what_is_no_http_is_answered_as_every_mistake(edge: Edge, data: bytes) -> None:
    head, _, body = (await say(edge, data)).partition(b"\r\n\r\n")
    status, *lines = head.decode().splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert status.split(" ")[1] == "400"
    assert (headers["content-type"], headers["x-content-type-options"]) == ("application/json", "nosniff")
    assert json.loads(body) == refusal("INVALID_REQUEST") | {"requestId": headers["x-request-id"]}
    assert "python" not in headers["server"].lower()


@pytest.mark.parametrize("own_stack", [{"variables": {"PREGAO_EDGE_IDLE": "1"}}], indirect=True)
async def test_nobody_waits_for_who_takes_for_ever_to_say_what_they_want(own_stack: Stack, person: Person) -> None:
    edge, where = own_stack.edge, urlsplit(own_stack.edge.url)
    assert await say(edge, b"") == b""
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    ended = asyncio.create_task(reader.read())
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n")
    async with asyncio.timeout(10):
        while not ended.done():  # a line now and then, and never the last
            writer.write(b"X-Slow: 1\r\n")
            await asyncio.wait([ended], timeout=0.1)
    assert ended.result() == b""
    writer.close()
    whole = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await say(edge, whole + b"GET /health HTTP/1.1\r\n")
    assert answer.count(b"HTTP/1.1 200") == 1, "also behind a request that was whole"
