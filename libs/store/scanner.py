"""Tables `strategy_trades`, `scanner_performance`, `strategy_performance`: the scanner's signals, and their record."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import msgspec
from postgrest import AsyncQueryRequestBuilder

from libs.contracts.ids import derived_id
from libs.contracts.market import Feed
from libs.contracts.scanner import ScannedCandle
from libs.store.database import Database
from libs.store.rows import read_rows

BATCH = 200
"""Candles in one request."""
RANKED_FROM = 15
"""Decided signals below which a row is not ranked (api-contract §4.3)."""

Rank = Literal["win_rate", "wilson"]

_PERFORMANCES, _TRADES = "scanner_performance", "strategy_trades"


class Close(msgspec.Struct, frozen=True):
    """What decides the signals of the candle before."""

    feed: Feed
    end: int
    """Epoch seconds."""
    price: float | None
    """None where there is no such candle."""


class Overdue(msgspec.Struct, frozen=True):
    """Signals of one feed that should have been decided."""

    active_id: int
    timeframe: int
    expiries: tuple[int, ...]
    """Epoch seconds, ascending."""


class Window(msgspec.Struct, frozen=True):
    """Signals count that were decided within the last `seconds`, or `candles` if that is longer."""

    seconds: int
    candles: int


class Counted(msgspec.Struct, frozen=True):
    aggregated: int
    upserted: int
    removed: int
    pending: int
    """Signals that are not decided yet."""


class ScannerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `scanner_performance`, and what all its like have in common."""

    id: str
    active_id: str
    ativo_nome: str
    timeframe: int
    total_signals: int
    total_wins: int
    total_losses: int
    total_ties: int
    total_timeouts: int
    win_rate: float
    wilson_lower: float
    window_seconds: int
    last_signal: datetime | None = None
    """Unknown in rows of before it was counted."""
    last_updated: datetime
    created_at: datetime


class StrategyTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy on a timeframe, over all actives."""

    strategy_id: str
    timeframe: int
    actives: int
    total_signals: int
    total_wins: int
    total_losses: int
    total_ties: int
    total_timeouts: int
    win_rate: float
    wilson_lower: float
    window_seconds: int
    last_signal: datetime
    last_updated: datetime


class SignalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `strategy_trades`."""

    id: str
    active_id: str
    ativo_nome: str
    timeframe: int
    strategy_id: str | None
    confidence: int | None
    signal_timestamp: datetime
    signal_direction: str
    signal_price: float
    result: str
    result_timestamp: datetime | None
    result_price: float | None
    price_diff: float | None
    created_at: datetime
    updated_at: datetime


class _Decided(msgspec.Struct, frozen=True):
    decided: int


class Signals:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, candles: Iterable[ScannedCandle]) -> int:
        """Write their signals, and decide those of the candles before; at most `BATCH`. How many were decided."""
        told = list(candles)
        signals = [row for candle in told for row in _rows(candle)]
        return await self._record(signals, (Close(candle.feed, candle.end, candle.close) for candle in told))

    async def decide(self, closes: Iterable[Close]) -> int:
        """How many signals were decided."""
        return await self._record([], closes)

    async def overdue(self, before: datetime) -> list[Overdue]:
        """What should have been decided before that time, the oldest first."""
        return read_rows(await self._database.call("overdue_signals", before=before.isoformat()), Overdue)

    async def count(self, at: datetime, window: Window) -> Counted:
        """Bring the statistics in line with the signals, and delete signals that are too old to count."""
        answer = await self._database.call(
            "aggregate_scanner", at=at.isoformat(), least_seconds=window.seconds, candles=window.candles
        )
        return read_rows(answer, Counted)[0]

    async def ranking(self, limit: int, rank: Rank = "win_rate") -> list[ScannerRow]:
        """The best; of equals the one with more signals."""
        query = self._database.client.table(_PERFORMANCES).select("*").gte("total_signals", RANKED_FROM)
        query = query.order("wilson_lower" if rank == "wilson" else "win_rate", desc=True)
        query = query.order("total_signals", desc=True).order("last_updated", desc=True).order("id").limit(limit)
        return await self._performances(query)

    async def of_active(self, active_id: int) -> list[ScannerRow]:
        query = self._database.client.table(_PERFORMANCES).select("*").eq("active_id", str(active_id))
        return await self._performances(query.order("timeframe"))

    async def updated(self, limit: int) -> list[ScannerRow]:
        """What changed last."""
        query = self._database.client.table(_PERFORMANCES).select("*").order("last_updated", desc=True)
        return await self._performances(query.order("id").limit(limit))

    async def strategies(self) -> list[StrategyTotal]:
        """Every strategy and timeframe, the one that is best with most certainty first."""
        return read_rows(await self._database.call("strategy_totals"), StrategyTotal)

    async def latest(self, limit: int) -> list[SignalRow]:
        query = self._database.client.table(_TRADES).select("*").order("signal_timestamp", desc=True)
        return read_rows(await self._database.execute(query.order("id").limit(limit), _TRADES), SignalRow)

    async def _performances(self, query: AsyncQueryRequestBuilder) -> list[ScannerRow]:
        return read_rows(await self._database.execute(query, _PERFORMANCES), ScannerRow)

    async def _record(self, signals: list[dict[str, object]], closes: Iterable[Close]) -> int:
        decisive = [
            {
                "active_id": str(close.feed.active_id),
                "timeframe": close.feed.size,
                "ended_at": _time(close.end),
                "price": close.price,
            }
            for close in closes
        ]
        answer = await self._database.call("record_signals", signals=signals, closes=decisive)
        return read_rows(answer, _Decided)[0].decided


def _rows(candle: ScannedCandle) -> Iterable[dict[str, object]]:
    """The id is that of the same signal on a bot's board."""
    for signal in candle.signals:
        yield {
            "id": derived_id("signal", signal.strategy, candle.active_id, candle.size, candle.end),
            "active_id": str(candle.active_id),
            "ativo_nome": candle.name,
            "timeframe": candle.size,
            "strategy_id": signal.strategy,
            "confidence": signal.confidence,
            "signal_timestamp": _time(candle.end),
            "signal_direction": signal.direction.upper(),
            "signal_price": candle.close,
        }


def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()
