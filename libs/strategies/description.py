"""What users are told of a strategy, from its class."""

import inspect

import msgspec

from libs.contracts.strategies import StrategyDescription
from libs.strategies.strategy import Strategy


def describe(kind: type[Strategy], source: str = "") -> StrategyDescription:
    [schema] = msgspec.json.schema(kind)["$defs"].values()
    return StrategyDescription(
        name=kind.name,
        text=inspect.getdoc(kind) or "",
        warm_up=kind().warm_up,
        parameters=schema["properties"],
        source=source,
    )
