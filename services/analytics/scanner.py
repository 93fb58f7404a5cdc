"""What the scanner's signals add up to: counted again and again, and the ranking told when it is another one."""

import structlog
from prometheus_client import Gauge, Histogram

from libs.bus import Bus, BusError, BusUnavailable
from libs.bus.topology import SIGNALS
from libs.contracts import subjects
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, Nothing, RpcError, ScannerCounted
from libs.contracts.scanner import Performance, ScannerRanking
from libs.store import StoreError, StoreUnavailable
from libs.store.scanner import ScannerRow, Signals, Window
from services.analytics.turns import take_turns
from services.analytics.verdicts import Verdicts

RANKED = 20

log = structlog.get_logger()

_seconds = Histogram(
    "pregao_scanner_count_seconds", "Time to count all decided signals", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
)
_pending = Gauge("pregao_scanner_signals_pending", "Signals that are not decided yet")


class Statistics:
    """Of all processes one counts by the clock; any may count when asked."""

    def __init__(self, bus: Bus, signals: Signals, verdicts: Verdicts, window: Window, interval: float) -> None:
        self._bus = bus
        self._signals = signals
        self._verdicts = verdicts
        self._window = window
        self._interval = interval

    async def run(self) -> None:
        """Until cancelled."""
        await take_turns(self._bus, "scanner", self._turn, self._interval)

    async def answer(self, _: Nothing) -> ScannerCounted:
        """Answers `rpc.analytics.count_scanner`."""
        try:
            return await self._count()
        except (StoreUnavailable, BusUnavailable) as error:
            raise RpcError(ErrorCode.UNAVAILABLE, "the signals cannot be counted now") from error

    async def _turn(self) -> None:
        try:
            await self._verdicts.catch_up()
            await self._count()
        except (StoreError, BusError) as error:
            log.warning("scanner_not_counted", error=str(error))

    async def _count(self) -> ScannerCounted:
        with _seconds.time():
            counted = await self._signals.count(self._bus.clock.now(), self._window)
        _pending.set(counted.pending)
        await self._tell(tuple(map(_performance, await self._signals.ranking(RANKED))))
        return ScannerCounted(aggregated=counted.aggregated, upserted=counted.upserted, removed=counted.removed)

    async def _tell(self, rows: tuple[Performance, ...]) -> None:
        last = await self._bus.last(SIGNALS, subjects.SCANNER_RANKING, ScannerRanking)
        if rows != (last.rows if last is not None else ()):
            ranking = ScannerRanking(id=new_id(), at=self._bus.clock.now(), rows=rows)
            await self._bus.append(subjects.SCANNER_RANKING, ranking, id=ranking.id)


def _performance(row: ScannerRow) -> Performance:
    return Performance(
        active_id=int(row.active_id),
        name=row.ativo_nome,
        size=row.timeframe,
        signals=row.total_signals,
        wins=row.total_wins,
        losses=row.total_losses,
        win_rate=row.win_rate,
        wilson_lower=row.wilson_lower,
    )
