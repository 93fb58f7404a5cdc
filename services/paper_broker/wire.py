"""Frames of the WebSocket: JSON text, one object each (quadcode-protocol §3)."""

from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec

from services.paper_broker.errors import Refused, Status, invalid

T = TypeVar("T")

Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""What the database can hold."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_EMPTY = msgspec.Raw(b"{}")


class ClientFrame(msgspec.Struct, frozen=True):
    name: str
    request_id: str | int = ""
    msg: msgspec.Raw = _EMPTY


class Call(msgspec.Struct, frozen=True):
    """`msg` of `sendMessage`."""

    name: str
    version: str
    body: msgspec.Raw = _EMPTY


class Parameters(msgspec.Struct, frozen=True, rename="camel"):
    routing_filters: dict[str, int | str] = {}


class Subscription(msgspec.Struct, frozen=True):
    """`msg` of `subscribeMessage` and `unsubscribeMessage`."""

    name: str
    version: str
    params: Parameters = Parameters()


class Authentication(msgspec.Struct, frozen=True):
    """`msg` of `authenticate`; more fields are sent and not looked at."""

    ssid: str


class Nothing(msgspec.Struct, frozen=True):
    """A body without fields."""


def decode(data: bytes | msgspec.Raw, type_: type[T]) -> T:
    """Raises Refused: 4220 with the field that is wrong, 4000 when it is no JSON."""
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        field, problem = located(error)
        raise invalid(field or "msg", problem) from error
    except msgspec.DecodeError as error:
        raise Refused(Status.MALFORMED, f"malformed JSON: {error}") from error


def located(error: msgspec.ValidationError) -> tuple[str, str]:
    """Path of the wrong field, empty for the whole, and what is wrong with it."""
    problem, _, place = str(error).partition(" - at ")
    return place.partition("`$")[2].strip("`."), problem


def encode(message: object) -> bytes:
    """Decimals as JSON numbers."""
    return _encoder.encode(message)


@lru_cache(maxsize=16)
def text_frame(message: bytes) -> bytes:
    """An unmasked, uncompressed WebSocket text frame (RFC 6455 §5.2); one for all connections that get the message."""
    length = len(message)
    if length < 126:
        return bytes((0x81, length)) + message
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + message
    return b"\x81\x7f" + length.to_bytes(8, "big") + message


def reply(request_id: str, name: str, status: int, msg: object) -> bytes:
    return encode({"request_id": request_id, "name": name, "status": status, "msg": msg})


def authenticated(request_id: str, accepted: bool) -> bytes:
    """A refusal is no error status: clients would retry for ever (quadcode-protocol §4.1)."""
    return encode({"name": "authenticated", "request_id": request_id, "msg": accepted})


def event(service: str, name: str, msg: object) -> bytes:
    return encode({"name": name, "microserviceName": service, "msg": msg})


def time_sync(now: int) -> bytes:
    """`now` in epoch milliseconds. It must not carry a microserviceName."""
    return encode({"name": "timeSync", "msg": now})
