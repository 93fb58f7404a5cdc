"""How answers are written: JSON as clients read it, with money as numbers. And how deep what clients send may be."""

import re
from typing import Any

import msgspec
from aiohttp import web

JSON = "application/json"

WORTH_COMPRESSING = 1024
"""Bytes."""

MAX_DEPTH = 32
"""Arrays and objects in each other (crm-and-reliability §E15)."""

_OPENING = (b"[", b"{")
_PARTS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Strings, as far as they go, and brackets. Possessive: the time is linear, whatever comes."""

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def dumps(value: Any, **_: object) -> str:
    """With `loads`, the JSON module of the Socket.IO server."""
    return _encoder.encode(value).decode()


def loads(text: str) -> Any:
    """Raises ValueError."""
    data = text.encode()
    if too_deep(data):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return msgspec.json.decode(data)


def too_deep(data: bytes) -> bool:
    """Of JSON whether it is nested deeper than `MAX_DEPTH`. Hardly anything has as many brackets at all."""
    if sum(data.count(bracket) for bracket in _OPENING) <= MAX_DEPTH:
        return False
    depth = 0
    for part in _PARTS.finditer(data):
        bracket = part[0]
        if bracket in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif bracket in (b"]", b"}"):
            depth -= 1
    return False


def vary(response: web.StreamResponse, header: str) -> None:
    """Caches must tell answers apart by this header of the request, too."""
    named = response.headers.get("Vary")
    response.headers["Vary"] = f"{named}, {header}" if named else header
