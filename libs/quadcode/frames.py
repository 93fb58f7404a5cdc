"""The outer frames of the protocol (quadcode-protocol §3.2–3.5): JSON text, one object each."""

from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

E = TypeVar("E")

REFUSED = 4000
"""A status from here on means an error."""
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what the protocol says: no JSON, no UTF-8, or nested without end."""


class Outer(StrEnum):
    """What a client may send."""

    AUTHENTICATE = "authenticate"
    SET_OPTIONS = "setOptions"
    SEND_MESSAGE = "sendMessage"
    SUBSCRIBE = "subscribeMessage"
    UNSUBSCRIBE = "unsubscribeMessage"


class Outgoing(Struct, frozen=True):
    name: Outer
    request_id: str
    msg: object


class Authenticate(Struct, frozen=True):
    ssid: str
    protocol: int = 3
    session_id: str = ""
    client_session_id: str = ""


class SetOptions(Struct, frozen=True, rename="camel"):
    send_results: bool = True


class Message(Struct, frozen=True):
    """The `msg` of a `sendMessage`."""

    name: str
    version: str
    body: object


class Routing(Struct, frozen=True, rename="camel"):
    routing_filters: dict[str, int | str]


class Subscribe(Struct, frozen=True):
    """The `msg` of a `subscribeMessage`, and of the `unsubscribeMessage` that ends it."""

    name: str
    version: str
    params: Routing | UnsetType = UNSET


class Result(Struct, frozen=True):
    """The `msg` of a `result` frame: the confirmation of a request that has no other answer."""

    success: bool = False
    reason: str = ""


class Envelope(Struct, frozen=True, rename={"service": "microserviceName"}):
    """A frame from the server whose `msg` is not decoded yet."""

    request_id: str | int | float | None = None
    """A number never matches a request (§3.3): ours are strings."""
    name: str | None = None
    service: str | None = None
    status: int | float | None = None
    msg: Raw = Raw(b"null")


class EventFrame(Struct, Generic[E], frozen=True, rename={"service": "microserviceName"}):
    """A frame that is known to be an event of one type, decoded in a single pass."""

    name: str
    service: str
    msg: E
    request_id: str | int | float | None = None


_encode = msgspec.json.Encoder(decimal_format="number").encode
"""Money goes out as JSON numbers (§19)."""

decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_result = msgspec.json.Decoder(Result | None).decode
decode_any = msgspec.json.Decoder(Any).decode


def encode(name: Outer, request_id: str, msg: object) -> bytes:
    return _encode(Outgoing(name, request_id, msg))


def words(details: object) -> str:
    """A refusal's reason as the official client words it (§3.4)."""
    if isinstance(details, dict):
        message = details.get("message")
        if message is not None:
            return _word(message)
        return "; ".join(f"{key}: {_word(details[key])}" for key in sorted(details))
    return _word(details)


def _word(value: object) -> str:
    return value if isinstance(value, str) else _encode(value).decode()
