"""What is exported: rows as lists of them show, a page at a time. Whoever asks for the next one says where the last
ended, so that nothing is kept here in between."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec

from libs.contracts.admin import Period
from libs.contracts.admin_rows import AssetPerformance, DailyRow, HourlyRow, StrategyRow, TopUser, TradeListItem
from libs.contracts.clock import Clock
from libs.contracts.exports import AnalyticsExport, ExportKind, TradesExport
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.cursors import BadCursor
from libs.store.trade_lists import Filter, Order, TradeLists, cursor_of, position_of
from libs.store.trade_sums import TradeSums
from services.analytics.answering import accounts_of
from services.analytics.periods import days_of
from services.analytics.reports import Reports, asset_performance, top_user
from services.analytics.trade_desk import filter_of, item_of


class Page(NamedTuple):
    of: type[msgspec.Struct]
    rows: Sequence[msgspec.Struct]
    next: str = ""
    """Behind what the next one begins; empty on the last."""


class ExportRows:
    """Raises RpcError: INVALID_REQUEST for a period that is too long and for an `after` that is none of ours."""

    def __init__(self, reports: Reports, sums: TradeSums, trades: TradeLists, clock: Clock) -> None:
        self._reports = reports
        self._sums = sums
        self._trades = trades
        self._clock = clock
        self._whole: dict[ExportKind, Callable[[Period], Awaitable[Page]]] = {
            ExportKind.DAILY: self._daily,
            ExportKind.STRATEGY: self._strategy,
            ExportKind.ASSET: self._asset,
            ExportKind.HOURLY: self._hourly,
        }

    async def page(self, asked: AnalyticsExport | TradesExport, after: str, limit: int) -> Page:
        if isinstance(asked, TradesExport):
            order = Order(by=asked.sort_by, ascending=asked.sort_order == "asc")
            return await self._trades_page(filter_of(asked), order, after, limit)
        if asked.type is ExportKind.USERS:
            return await self._users(asked, after, limit)
        if asked.type is ExportKind.TRADES:
            return await self._trades_page(self._of_period(asked), Order(ascending=True), after, limit)
        return await self._whole[asked.type](asked)

    async def count(self, asked: AnalyticsExport | TradesExport) -> int | None:
        """Of trades; None of others, which take no time."""
        if isinstance(asked, TradesExport):
            return (await self._trades.sum(filter_of(asked))).trades
        return (await self._trades.sum(self._of_period(asked))).trades if asked.type is ExportKind.TRADES else None

    async def _daily(self, asked: Period) -> Page:
        return Page(DailyRow, (await self._reports.daily(asked)).rows)

    async def _strategy(self, asked: Period) -> Page:
        return Page(StrategyRow, (await self._reports.by_strategy(asked)).rows)

    async def _hourly(self, asked: Period) -> Page:
        return Page(HourlyRow, (await self._reports.hourly(asked)).rows)

    async def _asset(self, asked: Period) -> Page:
        sums = await self._sums.by("asset", accounts_of(asked.account_type), *self._days(asked))
        decided = sorted((one for one in sums if one.decided), key=lambda one: (-one.volume, one.key))
        return Page(AssetPerformance, [asset_performance(one) for one in decided])

    async def _users(self, asked: Period, after: str, limit: int) -> Page:
        try:
            behind = UUID(after) if after else None
        except ValueError:
            raise _no_cursor() from None
        found = await self._sums.users(accounts_of(asked.account_type), *self._days(asked), behind, limit)
        rows = [top_user(one) for one in found]
        return Page(TopUser, rows, str(found[-1].user_id) if len(found) == limit else "")

    async def _trades_page(self, wanted: Filter, order: Order, after: str, limit: int) -> Page:
        try:
            behind = position_of(after, order) if after else None
        except BadCursor as error:
            raise _no_cursor() from error
        found = await self._trades.find(wanted, order, limit, after=behind)
        return Page(TradeListItem, [item_of(one) for one in found], cursor_of(found[-1]) if len(found) == limit else "")

    def _of_period(self, asked: Period) -> Filter:
        first, last = self._days(asked)
        return Filter(accounts=accounts_of(asked.account_type), first=first, last=last)

    def _days(self, asked: Period) -> tuple[date, date]:
        return days_of(asked, self._clock.now().date())


def _no_cursor() -> RpcError:
    return RpcError(ErrorCode.INVALID_REQUEST, "`after`: Expected the `next` of another page")
