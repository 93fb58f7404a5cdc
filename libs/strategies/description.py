"""What users are told of a strategy."""

import inspect
from typing import Any

import msgspec

from libs.strategies.strategy import Strategy


class Description(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    text: str
    warm_up: int
    """Candles, with default parameters."""
    parameters: dict[str, dict[str, Any]]
    """JSON schema of each: type, bounds, default, description."""
    source: str
    """The file or the package it comes from; empty for a built-in one."""


def describe(kind: type[Strategy], source: str = "") -> Description:
    [schema] = msgspec.json.schema(kind)["$defs"].values()
    return Description(
        name=kind.name,
        text=inspect.getdoc(kind) or "",
        warm_up=kind().warm_up,
        parameters=schema["properties"],
        source=source,
    )
