"""JSON as clients read it: money as numbers."""

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def dumps(value: Any, **_: object) -> str:
    """With `loads`, the JSON module of the Socket.IO server."""
    return _encoder.encode(value).decode()


def loads(text: str | bytes) -> Any:
    return msgspec.json.decode(text)
