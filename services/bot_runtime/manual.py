"""The only asset of a bot in manual mode: what it pays, and whether it can be bought."""

from datetime import UTC, datetime

from libs.contracts.bots import BotConfig, TradingState
from libs.contracts.market import Active
from services.bot_runtime import labels
from services.bot_runtime.actives import BOUGHT, Actives
from services.bot_runtime.policy import Offer, Refusal


def asset(config: BotConfig, actives: Actives) -> Active | None:
    """None in auto mode, and when the catalogue has it no longer."""
    return actives.by_ticker(config.asset or "") if config.mode == "manual" else None


def offer(config: BotConfig, actives: Actives) -> Offer | None:
    active = asset(config, actives)
    offering = active.option(BOUGHT) if active is not None else None
    return Offer(active.id, offering.payout or 0) if active is not None and offering is not None else None


def unavailable(config: BotConfig, actives: Actives, now: datetime) -> Refusal | None:
    """That it cannot be bought now. None in auto mode."""
    if config.mode == "auto":
        return None
    active = asset(config, actives)
    offering = active.option(BOUGHT) if active is not None else None
    if offering is None:
        return Refusal(labels.waiting_for(config.asset, "is not on offer"), state=TradingState.ACTIVE)
    if offering.suspended:
        return Refusal(labels.waiting_for(config.asset, "is suspended"), state=TradingState.ACTIVE)
    if offering.tradable(now):
        return None
    until = turn(config, actives, now)
    reason = labels.waiting_for(config.asset, "is closed") if until is None else f"{config.asset} is closed"
    return Refusal(reason, until, TradingState.ACTIVE)


def turn(config: BotConfig, actives: Actives, now: datetime) -> datetime | None:
    """When its trading hours next begin or end; None in auto mode, and when that is not known."""
    active = asset(config, actives)
    offering = active.option(BOUGHT) if active is not None else None
    if offering is None:
        return None
    turns = [second for opens, closes in offering.hours for second in (opens, closes + 1) if second > now.timestamp()]
    return datetime.fromtimestamp(min(turns), UTC) if turns else None
