"""Locks: after a trade, nothing more on its asset, or on any, for a while.

freqtrade's four protections (StoplossGuard, MaxDrawdown, LowProfitPairs, CooldownPeriod) as it documents them, the
asset hold of api-contract §10.5, and the cool-downs of the limits. Each looks at the score after every settled trade,
so that a lock follows from the trades alone and outlives a restart; it lasts from the end of that trade.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from libs.contracts.bots import BotConfig
from libs.contracts.money import AssetHold, CooldownPeriod, DrawdownGuard, LowProfitPairs, StoplossGuard
from libs.contracts.orders import TradeResult
from libs.contracts.score import Lock, PastTrade, Score
from services.bot_runtime.policy.trade import Trade

MOST = 100
"""Trades a protection can look back on, whatever its `lookback`."""

_ANY = 0
_MINUTE = 60


class Protection:
    """Base; `score` has the trade in it."""

    name = ""
    """The field of the configuration."""

    @property
    def lookback(self) -> int:
        """Seconds of recent trades it needs."""
        return 0

    @property
    def duration(self) -> int:
        """Seconds of its locks."""
        raise NotImplementedError

    def locks(self, score: Score, trade: Trade) -> int | None:
        """The active to lock, 0 for all; None for no lock."""
        raise NotImplementedError

    def after(self, score: Score, trade: Trade) -> Lock | None:
        active_id = self.locks(score, trade)
        if active_id is None:
            return None
        return Lock(active_id=active_id, until=ceil(trade.ended.timestamp()) + self.duration, rule=self.name)

    def _recent(self, score: Score, trade: Trade, active_id: int | None = None) -> list[PastTrade]:
        since = trade.ended.timestamp() - self.lookback
        return [
            past for past in score.recent if past.ended > since and active_id in (None, past.active_id)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AssetHolds(Protection):
    settings: AssetHold
    name = "assetHold"

    @property
    def duration(self) -> int:
        return self.settings.minutes * _MINUTE

    def locks(self, score: Score, trade: Trade) -> int | None:
        """A lapsed hold begins to count anew: the count goes on, and every `losses` of them lock."""
        lost = trade.result is TradeResult.LOSS and score.losses_on[trade.active_id] % self.settings.losses == 0
        return trade.active_id if lost else None


@dataclass(frozen=True, slots=True)
class StoplossGuards(Protection):
    settings: StoplossGuard
    name = "stoplossGuard"

    @property
    def lookback(self) -> int:
        return self.settings.lookback * _MINUTE

    @property
    def duration(self) -> int:
        return self.settings.stop_duration * _MINUTE

    def locks(self, score: Score, trade: Trade) -> int | None:
        active_id = trade.active_id if self.settings.per_asset else None
        losses = sum(past.profit < 0 for past in self._recent(score, trade, active_id))
        return (active_id or _ANY) if losses >= self.settings.trade_limit else None


@dataclass(frozen=True, slots=True)
class DrawdownGuards(Protection):
    settings: DrawdownGuard
    name = "maxDrawdown"

    @property
    def lookback(self) -> int:
        return self.settings.lookback * _MINUTE

    @property
    def duration(self) -> int:
        return self.settings.stop_duration * _MINUTE

    def locks(self, score: Score, trade: Trade) -> int | None:
        recent = self._recent(score, trade)
        if trade.worth is None or len(recent) < self.settings.trade_limit:
            return None
        worth = (trade.worth + trade.profit) * 100 - sum(past.profit for past in recent)
        return _ANY if _fall([past.profit for past in recent], worth) > self.settings.max_drawdown else None


def _fall(profits: Iterable[int], worth: Decimal) -> Decimal:
    """The deepest fall from a height before it, in percent of that height; from `worth`, in cents as the profits."""
    height, deepest = worth, Decimal(0)
    for profit in profits:
        worth += profit
        height = max(height, worth)
        if height > 0:
            deepest = max(deepest, (height - worth) * 100 / height)
    return deepest


@dataclass(frozen=True, slots=True)
class LowProfits(Protection):
    settings: LowProfitPairs
    name = "lowProfitPairs"

    @property
    def lookback(self) -> int:
        return self.settings.lookback * _MINUTE

    @property
    def duration(self) -> int:
        return self.settings.stop_duration * _MINUTE

    def locks(self, score: Score, trade: Trade) -> int | None:
        recent = self._recent(score, trade, trade.active_id)
        staked, profit = sum(past.stake for past in recent), sum(past.profit for past in recent)
        enough = len(recent) >= self.settings.trade_limit and staked > 0
        return trade.active_id if enough and profit * 100 < self.settings.required_profit * staked else None


@dataclass(frozen=True, slots=True)
class AssetRest(Protection):
    settings: CooldownPeriod
    name = "cooldownPeriod"

    @property
    def duration(self) -> int:
        return self.settings.stop_duration * _MINUTE

    def locks(self, score: Score, trade: Trade) -> int | None:  # noqa: ARG002 - one shape for all protections
        return trade.active_id


@dataclass(frozen=True, slots=True)
class RestAfterTrade(Protection):
    seconds: int
    name = "cooldownAfterTrade"

    @property
    def duration(self) -> int:
        return self.seconds

    def locks(self, score: Score, trade: Trade) -> int | None:  # noqa: ARG002 - one shape for all protections
        return _ANY


@dataclass(frozen=True, slots=True)
class RestAfterLoss(Protection):
    seconds: int
    name = "cooldownAfterLoss"

    @property
    def duration(self) -> int:
        return self.seconds

    def locks(self, score: Score, trade: Trade) -> int | None:  # noqa: ARG002 - one shape for all protections
        return _ANY if trade.result is TradeResult.LOSS else None


def protections(config: BotConfig) -> tuple[Protection, ...]:
    chosen, limits = config.protections, config.limits
    found: list[Protection] = []
    if chosen.asset_hold is not None and config.mode == "auto":
        found.append(AssetHolds(chosen.asset_hold))
    if chosen.stoploss_guard is not None:
        found.append(StoplossGuards(chosen.stoploss_guard))
    if chosen.max_drawdown is not None:
        found.append(DrawdownGuards(chosen.max_drawdown))
    if chosen.low_profit_pairs is not None:
        found.append(LowProfits(chosen.low_profit_pairs))
    if chosen.cooldown_period is not None:
        found.append(AssetRest(chosen.cooldown_period))
    if limits.cooldown_after_trade:
        found.append(RestAfterTrade(limits.cooldown_after_trade))
    if limits.cooldown_after_loss:
        found.append(RestAfterLoss(limits.cooldown_after_loss))
    return tuple(found)
