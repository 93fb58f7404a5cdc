"""From the parameters of a bot's configuration to a strategy."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from libs.strategies.strategy import Strategy

StrategyT = TypeVar("StrategyT", bound=Strategy)


class BadParameters(ValueError):
    """Names the parameter."""


def build(kind: type[StrategyT], parameters: Mapping[str, Any]) -> StrategyT:
    """Raises BadParameters."""
    try:
        return msgspec.convert(dict(parameters), kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise BadParameters(f"`{path}: {message}" if path else message) from error
