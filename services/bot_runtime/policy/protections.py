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
from libs.contracts.money import AssetHold, DrawdownGuard, LowProfitPairs, StoplossGuard
from libs.contracts.orders import TradeResult
from libs.contracts.score import Lock, PastTrade, Score
from services.bot_runtime.policy.trade import Trade

MOST = 100
"""Trades a protection can look back on, whatever its `lookback`."""

_ANY = 0
_MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Base; `score` has the trade in it."""

    duration: int
    """Seconds of its locks."""
    lookback: int = 0
    """Seconds of recent trades it needs."""

    name = ""
    """The field of the configuration."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetHolds(Protection):
    settings: AssetHold
    name = "assetHold"

    def locks(self, score: Score, trade: Trade) -> int | None:
        """A lapsed hold begins to count anew: the count goes on, and every `losses` of them lock."""
        lost = trade.result is TradeResult.LOSS and score.losses_on[trade.active_id] % self.settings.losses == 0
        return trade.active_id if lost else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoplossGuards(Protection):
    settings: StoplossGuard
    name = "stoplossGuard"

    def locks(self, score: Score, trade: Trade) -> int | None:
        active_id = trade.active_id if self.settings.per_asset else None
        losses = sum(past.profit < 0 for past in self._recent(score, trade, active_id))
        return (active_id or _ANY) if losses >= self.settings.trade_limit else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownGuards(Protection):
    settings: DrawdownGuard
    name = "maxDrawdown"

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LowProfits(Protection):
    settings: LowProfitPairs
    name = "lowProfitPairs"

    def locks(self, score: Score, trade: Trade) -> int | None:
        recent = self._recent(score, trade, trade.active_id)
        staked, profit = sum(past.stake for past in recent), sum(past.profit for past in recent)
        enough = len(recent) >= self.settings.trade_limit and staked > 0
        return trade.active_id if enough and profit * 100 < self.settings.required_profit * staked else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRest(Protection):
    name = "cooldownPeriod"

    def locks(self, score: Score, trade: Trade) -> int | None:  # noqa: ARG002 - one shape for all protections
        return trade.active_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RestAfterTrade(Protection):
    name = "cooldownAfterTrade"

    def locks(self, score: Score, trade: Trade) -> int | None:  # noqa: ARG002 - one shape for all protections
        return _ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class RestAfterLoss(Protection):
    name = "cooldownAfterLoss"

    def locks(self, score: Score, trade: Trade) -> int | None:  # noqa: ARG002 - one shape for all protections
        return _ANY if trade.result is TradeResult.LOSS else None


def protections(config: BotConfig) -> tuple[Protection, ...]:
    chosen, limits = config.protections, config.limits
    found: list[Protection] = []
    if (hold := chosen.asset_hold) is not None and config.mode == "auto":
        found.append(AssetHolds(settings=hold, duration=hold.minutes * _MINUTE))
    if (guard := chosen.stoploss_guard) is not None:
        found.append(StoplossGuards(settings=guard, **_spans(guard)))
    if (drawdown := chosen.max_drawdown) is not None:
        found.append(DrawdownGuards(settings=drawdown, **_spans(drawdown)))
    if (low := chosen.low_profit_pairs) is not None:
        found.append(LowProfits(settings=low, **_spans(low)))
    if (rest := chosen.cooldown_period) is not None:
        found.append(AssetRest(duration=rest.stop_duration * _MINUTE))
    if limits.cooldown_after_trade:
        found.append(RestAfterTrade(duration=limits.cooldown_after_trade))
    if limits.cooldown_after_loss:
        found.append(RestAfterLoss(duration=limits.cooldown_after_loss))
    return tuple(found)


def _spans(settings: StoplossGuard | DrawdownGuard | LowProfitPairs) -> dict[str, int]:
    return {"duration": settings.stop_duration * _MINUTE, "lookback": settings.lookback * _MINUTE}
