"""What users are told of the strategies that bots may follow."""

from typing import Any

from libs.contracts.codec import Message


class StrategyDescription(Message, frozen=True, kw_only=True, rename="camel"):
    name: str
    """The `strategy` of a bot's configuration."""
    text: str
    warm_up: int
    """Candles before it has a signal, with default parameters."""
    parameters: dict[str, dict[str, Any]]
    """JSON schema of each of its `strategyParameters`: type, bounds, default, description."""
    source: str
    """The file or entry point it comes from; empty for a built-in one."""


class StrategyList(Message, frozen=True, kw_only=True):
    strategies: tuple[StrategyDescription, ...]
