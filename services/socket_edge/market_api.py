"""Assets and past candles (api-contract §4.3)."""

from libs.bus import Bus
from libs.contracts import rpc
from libs.contracts.market import CANDLE_SIZES, Active
from services.socket_edge import requests, responses
from services.socket_edge.assets import CATEGORIES, Assets
from services.socket_edge.candle_stream import history
from services.socket_edge.dispatch import Call
from services.socket_edge.errors import invalid

MAX_CANDLES = 1000
"""The broker's limit for one request."""


class MarketApi:
    def __init__(self, bus: Bus, assets: Assets) -> None:
        self._bus = bus
        self._assets = assets

    async def assets(
        self, call: Call[requests.AssetsQuery, requests.Nothing]
    ) -> responses.AllAssets | responses.AssetsOfCategory:
        actives = self._assets.all()
        groups = {
            category: [_asset(active) for active in actives if active.category == category] for category in CATEGORIES
        }
        category = call.query.category
        if category is not None:
            return responses.AssetsOfCategory(category=category, count=len(groups[category]), assets=groups[category])
        total = sum(len(group) for group in groups.values())
        return responses.AllAssets(total=total, categories=CATEGORIES, assets=groups)

    async def candles(self, call: Call[requests.CandlesQuery, requests.Nothing]) -> responses.Candles:
        active = self._assets.find(call.query.asset)
        size = candle_size(call.query.timeframe)
        count = min(max(call.query.limit, 1), MAX_CANDLES)
        page = await self._bus.call(rpc.CANDLES, rpc.CandleQuery(active_id=active.id, size=size, count=count))
        candles = history(page.candles)
        return responses.Candles(asset=active.ticker, timeframe=size, count=len(candles), candles=candles)

    async def discover(self, _call: Call[requests.Nothing, requests.Nothing]) -> responses.Discovered:
        found = [
            responses.DiscoveredAsset(id=each.id, name=each.ticker, type=each.category) for each in self._assets.all()
        ]
        return responses.Discovered(results=responses.Discoveries(actives_facade=found))


def candle_size(timeframe: int) -> int:
    """Raises ApiError 400 for what the broker does not offer."""
    if timeframe not in CANDLE_SIZES:
        raise invalid(f"timeframe: must be one of {', '.join(map(str, CANDLE_SIZES))} seconds", "timeframe")
    return timeframe


def _asset(active: Active) -> responses.Asset:
    return responses.Asset(key=active.ticker, id=active.id, name=active.name, category=active.category)
