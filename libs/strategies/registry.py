"""Every strategy by the name that a bot's configuration uses."""

from collections.abc import Mapping

from libs.strategies.aggressive import Aggressive
from libs.strategies.strategy import Strategy

STRATEGIES: Mapping[str, Strategy] = {strategy.name: strategy for strategy in (Aggressive(),)}
