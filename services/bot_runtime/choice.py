"""Which signal a bot follows, and with which option (api-contract §10.4)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from libs.contracts.bots import BotConfig, Signal
from libs.contracts.market import Active, Feed
from services.bot_runtime.actives import BOUGHT, Actives
from services.bot_runtime.board import Board

AUTO_SIZE = 10
"""Candle size of auto mode, in seconds."""
_PREFERRED = (10, 5, 30, 60)
_USUAL = 30
"""Option duration when the broker does not tell which it offers."""
_SURE = 50
"""Confidence above which the preferred durations are tried."""


class Choice(Struct, frozen=True):
    signal: Signal
    active: Active
    duration: int
    """Seconds from purchase to expiry."""
    payout: int
    """Percent of the stake won on a win, as the catalogue has it; 0 where it does not tell."""
    computed: float
    """Monotonic seconds; when the signal was computed."""
    cause: str = ""
    """The candle's, if it is traced."""


def candle_size(config: BotConfig) -> int:
    return AUTO_SIZE if config.mode == "auto" else config.timeframe


def feeds(config: BotConfig, actives: Actives, now: datetime) -> Iterable[Feed]:
    """The candles a bot looks at: in auto mode all that can be traded now."""
    if config.mode == "auto":
        return [Feed(active.id, AUTO_SIZE) for active in actives.tradable(now)]
    active = actives.by_ticker(config.asset or "")
    return [Feed(active.id, config.timeframe)] if active is not None else []


def all_feeds(configs: Iterable[BotConfig], actives: Actives, now: datetime) -> frozenset[Feed]:
    """Bots with the same wish are many; their feeds are worked out once."""
    wishes = {(config.mode, config.asset, config.timeframe): config for config in configs}
    return frozenset(feed for config in wishes.values() for feed in feeds(config, actives, now))


def duration(confidence: int, offered: Sequence[int], longest: int) -> int | None:
    """The option duration of auto mode; None when nothing is offered that is short enough."""
    possible = [seconds for seconds in offered or (_USUAL,) if seconds <= longest]
    if confidence > _SURE:
        for preferred in _PREFERRED:
            if preferred in possible:
                return preferred
    return min(possible, default=None)


def choices(config: BotConfig, board: Board, actives: Actives, now: datetime) -> Iterator[Choice]:
    """What can be bought now on a signal and pays enough, the surest first."""
    if config.mode == "auto":
        yield from _surest(config, board, actives, now)
        return
    active = actives.by_ticker(config.asset or "")
    offering = active.option(BOUGHT) if active is not None else None
    signal = board.signal(active.id) if active is not None else None
    if active is not None and offering is not None and offering.tradable(now) and signal is not None:
        yield Choice(signal, active, config.timeframe, offering.payout or 0, board.computed, board.cause(active.id))


def _surest(config: BotConfig, board: Board, actives: Actives, now: datetime) -> Iterator[Choice]:
    for active_id in board.ranked():
        active = actives.by_id(active_id)
        offering = active.option(BOUGHT) if active is not None else None
        if active is None or offering is None or (offering.payout or 0) < config.min_payout:
            continue  # the rules would refuse it, one by one
        signal = board.signal(active_id)
        if signal is None or not offering.tradable(now):
            continue
        seconds = duration(signal.confidence, offering.durations, config.max_timeframe)
        if seconds is not None:
            yield Choice(signal, active, seconds, offering.payout or 0, board.computed, board.cause(active_id))
