"""What the market scanner found (api-contract §4.3), in the columns of the tables that clients also read directly."""

from collections.abc import Sequence

from libs.bus import Bus
from libs.contracts import rpc
from libs.contracts.admin import Recent
from libs.store.scanner import ScannerRow, SignalRow, Signals, StrategyTotal
from services.socket_edge import requests, responses
from services.socket_edge.admin_answers import Data
from services.socket_edge.assets import Assets
from services.socket_edge.dispatch import Call

Nothing = requests.Nothing

_TOP = 20
_SIGNALS = 20
_UPDATED = 10


class ScannerApi:
    def __init__(self, bus: Bus, assets: Assets, signals: Signals) -> None:
        self._bus = bus
        self._assets = assets
        self._signals = signals

    async def signals(self, _call: Call[Nothing, Nothing]) -> Sequence[SignalRow]:
        """The newest first."""
        return await self._signals.latest(_SIGNALS)

    async def activity(self, call: Call[Recent, Nothing]) -> Data[tuple[SignalRow, ...]]:
        return Data(data=tuple(await self._signals.latest(call.query.limit)))

    async def performance(
        self, call: Call[requests.PerformanceQuery, Nothing]
    ) -> Sequence[ScannerRow] | Sequence[StrategyTotal]:
        if call.query.by == "strategy":
            return await self._signals.strategies()
        return await self._signals.updated(_UPDATED)

    async def top(self, call: Call[requests.RankQuery, Nothing]) -> responses.ScannerRanking:
        rows = await self._signals.ranking(_TOP, call.query.rank)
        return responses.ScannerRanking(data=rows, timestamp=self._bus.clock.now(), count=len(rows))

    async def asset(self, call: Call[requests.ActiveQuery, Nothing]) -> responses.ScannerAsset:
        rows = await self._signals.of_active(self._assets.by_id(call.query.active_id).id)
        return responses.ScannerAsset(data=rows, count=len(rows))

    async def count(self, _call: Call[Nothing, Nothing]) -> responses.ScannerAggregated:
        counted = await self._bus.call(rpc.COUNT_SCANNER, rpc.Nothing())
        return responses.ScannerAggregated(
            message="Aggregation completed",
            result=responses.ScannerResult(
                aggregated=counted.aggregated, upserted=counted.upserted, removed=counted.removed
            ),
        )
