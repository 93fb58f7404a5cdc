"""What a report tells, put together: figures, win rates, and the rows that were asked for."""

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from libs.contracts.admin import Accounts
from libs.contracts.clock import Clock
from libs.contracts.exports import PAGE_ROWS, AnalyticsExport, TradesExport, Wanted
from libs.contracts.figures import AssetCell, Figures, FiguresQuery
from services.analytics.csv_text import text_of
from services.analytics.export_rows import ExportRows
from services.analytics.pdf.report import AssetBar, Report, Table
from services.analytics.performance import Performance

MOST_ROWS = 2000
"""In a report: some fifty pages. Whoever wants more wants a CSV file."""
_BARS = 10
_FILTERS = frozenset(
    {"userId", "asset", "resultado", "strategy", "timeframe", "minPayout", "maxPayout", "sortBy", "sortOrder"}
)
_LEFT_OUT = frozenset({"user_id"})
"""Columns: who it is says the address."""


class ReportMaker:
    def __init__(self, performance: Performance, rows: ExportRows, clock: Clock) -> None:
        self._performance = performance
        self._rows = rows
        self._clock = clock

    async def make(self, wanted: Wanted) -> Report:
        """Raises RpcError: INVALID_REQUEST for a period that is too long, NOT_FOUND for a user that is none; and
        StoreError."""
        asked = wanted.asked
        figures = await self._performance.figures(
            FiguresQuery(
                days=asked.days if isinstance(asked, AnalyticsExport) else None,
                date_from=asked.date_from,
                date_to=asked.date_to,
                account_type=asked.account_type,
                user_id=asked.user_id if isinstance(asked, TradesExport) else None,
            )
        )
        return Report(
            title=_title(asked),
            about=_about(asked, figures.first, figures.last),
            made_at=self._clock.now(),
            figures=figures,
            assets=_bars(figures),
            table=await self._table(asked, min(wanted.most, MOST_ROWS)),
        )

    async def _table(self, asked: AnalyticsExport | TradesExport, most: int) -> Table:
        lines: list[tuple[str, ...]] = []
        after, more = "", True
        while more and len(lines) < most:
            page = await self._rows.page(asked, after, min(PAGE_ROWS, most - len(lines)))
            shown = [field.name for field in msgspec.structs.fields(page.of) if field.encode_name not in _LEFT_OUT]
            lines += [tuple(_cell(getattr(row, name)) for name in shown) for row in page.rows]
            after, more = page.next, bool(page.next)
        return Table(
            title=_title(asked), about=_rows_about(asked), columns=tuple(shown), rows=tuple(lines), left_out=more
        )


def _bars(figures: Figures) -> tuple[AssetBar, ...]:
    found: dict[str, list[AssetCell]] = {}
    for cell in figures.by_asset:
        found.setdefault(cell.asset, []).append(cell)
    bars = []
    for asset, cells in found.items():
        wins, trades = sum(cell.wins for cell in cells), sum(cell.wins + cell.losses for cell in cells)
        if trades:
            pnl = sum((cell.pnl for cell in cells), Decimal(0))
            bars.append(AssetBar(asset=asset, trades=trades, win_rate=100 * wins / trades, pnl=pnl))
    return tuple(sorted(bars, key=lambda bar: (-bar.trades, bar.asset))[:_BARS])


def _title(asked: AnalyticsExport | TradesExport) -> str:
    return f"Analytics: {asked.type}" if isinstance(asked, AnalyticsExport) else "Trades"


def _about(asked: AnalyticsExport | TradesExport, first: date, last: date) -> str:
    accounts = "all accounts" if asked.account_type is Accounts.BOTH else f"{asked.account_type} accounts"
    return f"{first:%d %B %Y} to {last:%d %B %Y}, {accounts}"


def _rows_about(asked: AnalyticsExport | TradesExport) -> str:
    """Of trades, which the filters let through: the figures are of the period alone."""
    if isinstance(asked, AnalyticsExport):
        return ""
    kept = {name: value for name, value in msgspec.to_builtins(asked).items() if name in _FILTERS and value}
    return ", ".join(f"{name}: {value}" for name, value in kept.items())


def _cell(value: object) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else text_of(value)
