"""How every message is written on the wire: JSON by msgspec; Decimal as string, times as RFC 3339 UTC."""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(message: Any) -> bytes:
    return _encoder.encode(message)


def decode(data: bytes, type_: type[T]) -> T:
    """The message as `type_`; unknown fields are ignored, so that a newer sender can be read.

    Raises msgspec.ValidationError (which names the field) or msgspec.DecodeError.
    """
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.json.Decoder(type_)
    result: T = decoder.decode(data)
    return result


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that travels."""
