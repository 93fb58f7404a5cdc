"""Bounds of Decimal fields: msgspec's own are for int and float only."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

Bounds = Mapping[str, tuple[Decimal, Decimal]]
"""Lowest and highest value by field, both allowed."""


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def check(message: msgspec.Struct, bounds: Bounds) -> None:
    """Raises ValueError that names the field; one that is None is not given."""
    for name, (low, high) in bounds.items():
        value: Decimal | None = getattr(message, name)
        if value is not None and (not value.is_finite() or not low <= value <= high):
            raise ValueError(f"Expected `Decimal` >= {low} and <= {high} in `{camel(name)}`")
