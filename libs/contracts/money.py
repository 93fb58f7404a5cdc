"""The money rules of a bot's configuration: what to stake, when to hold back, when to stop (docs/money-rules.md).

Here are their numbers and bounds; what they do is in services/bot_runtime/policy.
"""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from libs.contracts.bounds import check
from libs.contracts.codec import Message
from libs.contracts.pattern import END

_PERCENT = (Decimal("0.01"), Decimal(100))
_MONEY = (Decimal("0.01"), Decimal(1_000_000))

Units = Annotated[int, Meta(ge=2, le=20)]
Minutes = Annotated[int, Meta(ge=1, le=1440)]
TradeLimit = Annotated[int, Meta(ge=1, le=50)]
Seconds = Annotated[int, Meta(ge=0, le=86400)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]" + END)]


class Rules(Message, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Base of every part of the configuration that is a group of rules."""


class Plan(Rules, frozen=True, kw_only=True, tag_field="kind"):
    """How stakes follow from results. `maxStake` and the balance cap every one of them."""


class FixedPlan(Plan, frozen=True, kw_only=True, tag="fixed"):
    """`amount` every time; with `leverageEnabled`, martingale."""


class PercentPlan(Plan, frozen=True, kw_only=True, tag="percent"):
    percent: Decimal
    """Of the balance."""

    def __post_init__(self) -> None:
        check(self, {"percent": (Decimal("0.01"), Decimal(50))})


class KellyPlan(Plan, frozen=True, kw_only=True, tag="kelly"):
    """A fraction of what Kelly's criterion says for the win rate that the run shows, beginning with an assumed one."""

    win_rate: Decimal
    """Percent; assumed before the first trade. At 50 or less no payout has an edge."""
    max_percent: Decimal
    """Of the balance; never more."""
    prior_trades: Annotated[int, Meta(ge=1, le=1000)] = 30
    """How many trades the assumption weighs."""
    fraction: Decimal = Decimal("0.5")

    def __post_init__(self) -> None:
        check(
            self,
            {
                "win_rate": (Decimal("50.01"), Decimal(99)),
                "max_percent": (Decimal("0.01"), Decimal(25)),
                "fraction": (Decimal("0.01"), Decimal(1)),
            },
        )


class SorosPlan(Plan, frozen=True, kw_only=True, tag="soros"):
    """What a win brought is staked on top of `amount`."""

    levels: Annotated[int, Meta(ge=1, le=5)]
    """So many times; the next win, and any loss, begins again."""


class DalembertPlan(Plan, frozen=True, kw_only=True, tag="dalembert"):
    """One unit of `amount` more after a loss, one less after a win."""

    max_units: Units


class OscarsGrindPlan(Plan, frozen=True, kw_only=True, tag="oscars-grind"):
    """One unit of `amount` more after a win, until the cycle has won what one unit wins."""

    max_units: Units


class MasanielloPlan(Plan, frozen=True, kw_only=True, tag="masaniello"):
    """A row of `trades` of which `wins` must be won, in whatever order; the row's end is the run's."""

    capital: Decimal
    """What a lost row costs."""
    trades: Annotated[int, Meta(ge=2, le=50)]
    wins: Annotated[int, Meta(ge=1, le=50)]

    def __post_init__(self) -> None:
        check(self, {"capital": (Decimal(1), Decimal(100_000))})
        if self.wins > self.trades:
            raise ValueError("Expected at most `trades` in `wins`")


StakePlan = FixedPlan | PercentPlan | KellyPlan | SorosPlan | DalembertPlan | OscarsGrindPlan | MasanielloPlan

FOLLOWS_RESULTS = (SorosPlan, DalembertPlan, OscarsGrindPlan, MasanielloPlan)
"""The plans whose next stake needs the last result."""


class TradingWindow(Rules, frozen=True, kw_only=True):
    """When entries are allowed, in the configuration's time zone."""

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = (
        "mon", "tue", "wed", "thu", "fri", "sat", "sun",
    )  # fmt: skip
    opens: TimeOfDay
    closes: TimeOfDay
    """Not included. Not later than `opens`: of the next day."""


class Limits(Rules, frozen=True, kw_only=True):
    """Losses end the run, and are never passed: stakes are lowered to what is left. The others hold entries back."""

    stop_loss_percent: Decimal | None = None
    """Of the balance at the start of the trading day."""
    max_drawdown: Decimal | None = None
    """Below the run's highest profit, in money."""
    max_drawdown_percent: Decimal | None = None
    """The same, of the balance at that height."""
    max_trades_per_hour: Annotated[int, Meta(ge=1, le=720)] | None = None
    """Of a clock hour."""
    max_trades_per_day: Annotated[int, Meta(ge=1, le=10000)] | None = None
    cooldown_after_loss: Seconds = 0
    cooldown_after_trade: Seconds = 0
    trading_hours: Annotated[tuple[TradingWindow, ...], Meta(max_length=21)] = ()
    """Without any, always."""

    def __post_init__(self) -> None:
        check(
            self, {"stop_loss_percent": _PERCENT, "max_drawdown": _MONEY, "max_drawdown_percent": _PERCENT}
        )  # fmt: skip


class AssetHold(Rules, frozen=True, kw_only=True):
    """Auto mode: after so many losses on an asset without a win, it is left alone (api-contract §10.5)."""

    losses: Annotated[int, Meta(ge=1, le=20)] = 2
    minutes: Minutes = 5


class StoplossGuard(Rules, frozen=True, kw_only=True):
    """After `tradeLimit` losses within `lookback`, nothing is traded for `stopDuration`."""

    lookback: Minutes = 60
    trade_limit: TradeLimit = 10
    stop_duration: Minutes = 60
    per_asset: bool = False
    """Count, and lock, each asset by itself."""


class DrawdownGuard(Rules, frozen=True, kw_only=True):
    """When the trades within `lookback` fell so far below their height, nothing is traded for `stopDuration`."""

    lookback: Minutes = 60
    trade_limit: TradeLimit = 1
    """Fewer trades say nothing."""
    stop_duration: Minutes = 60
    max_drawdown: Decimal
    """Percent of the balance at the height."""

    def __post_init__(self) -> None:
        check(self, {"max_drawdown": _PERCENT})


class LowProfitPairs(Rules, frozen=True, kw_only=True):
    """An asset whose trades within `lookback` brought less than `requiredProfit` is locked for `stopDuration`."""

    lookback: Minutes = 60
    trade_limit: TradeLimit = 1
    stop_duration: Minutes = 60
    required_profit: Decimal = Decimal(0)
    """Percent of what was staked."""

    def __post_init__(self) -> None:
        check(self, {"required_profit": (Decimal(-100), Decimal(100))})


class CooldownPeriod(Rules, frozen=True, kw_only=True):
    """An asset rests after each trade."""

    stop_duration: Minutes = 5


class Protections(Rules, frozen=True, kw_only=True):
    """Locks that lapse: the asset hold of the original, and freqtrade's four under their names there. Minutes."""

    asset_hold: AssetHold | None = AssetHold()
    stoploss_guard: StoplossGuard | None = None
    max_drawdown: DrawdownGuard | None = None
    low_profit_pairs: LowProfitPairs | None = None
    cooldown_period: CooldownPeriod | None = None


class Preview(Message, frozen=True, kw_only=True, rename="camel"):
    """What a configuration can cost, told before a bot is started with it."""

    stakes: tuple[Decimal, ...]
    """If every trade of today loses, from the first."""
    loss: Decimal
    """Their sum."""
    ended_by: str
    """What then keeps it from trading; empty if nothing does after so many."""
    worst_loss: Decimal
    """Whatever happens, the results of the trading day, from the first trade on, do not sum to a greater loss."""
    bounded_by: str
    """The field, of the configuration or of what administrators allow, that says so; `balance` if only that does."""
