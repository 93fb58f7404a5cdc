"""How answers are written: JSON as clients read it, with money as numbers."""

from typing import Any

import msgspec
from aiohttp import web

JSON = "application/json"

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def dumps(value: Any, **_: object) -> str:
    """With `loads`, the JSON module of the Socket.IO server."""
    return _encoder.encode(value).decode()


def loads(text: str | bytes) -> Any:
    return msgspec.json.decode(text)


def vary(response: web.StreamResponse, header: str) -> None:
    """Caches must tell answers apart by this header of the request, too."""
    named = response.headers.get("Vary")
    response.headers["Vary"] = f"{named}, {header}" if named else header
