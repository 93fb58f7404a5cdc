"""Every strategy by the name that a bot's configuration uses."""

from collections.abc import Mapping

from libs.strategies.aggressive import Aggressive
from libs.strategies.balanced import Balanced
from libs.strategies.conservative import Conservative
from libs.strategies.ema_cross import EmaCross
from libs.strategies.mhi import Mhi
from libs.strategies.strategy import Strategy
from libs.strategies.support_resistance import SupportResistance
from libs.strategies.three_candle_flow import ThreeCandleFlow

BUILT_IN: tuple[type[Strategy], ...] = (
    Aggressive, Balanced, Conservative, SupportResistance, Mhi, EmaCross, ThreeCandleFlow,
)  # fmt: skip

STRATEGIES: Mapping[str, Strategy] = {strategy.name: strategy() for strategy in BUILT_IN}
"""With default parameters."""
