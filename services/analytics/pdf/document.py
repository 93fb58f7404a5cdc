"""A report on pages: title with key figures, lines, win rates, the map of hours, and the table with its head on every
page."""

import io
from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Table as Grid

from libs.contracts.figures import Figures
from services.analytics.pdf import fonts
from services.analytics.pdf.charts import GAIN, INK, LOSS, MUTED, RULE, asset_bars, hour_map, line_chart
from services.analytics.pdf.fonts import BOLD, PLAIN
from services.analytics.pdf.report import Report, Table

_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_SIZES = (7.0, 6.5, 6.0, 5.5, 5.0)
"""Points, of what is in tables."""
_ROWS_A_GRID = 200
"""Laying out a long table takes more than its parts do."""

_TITLE = ParagraphStyle("title", fontName=BOLD, fontSize=24, leading=30, textColor=INK)
_ABOUT = ParagraphStyle("about", fontName=PLAIN, fontSize=10, leading=15, textColor=MUTED)
_HEAD = ParagraphStyle("head", fontName=BOLD, fontSize=12, leading=18, textColor=INK, spaceBefore=10, spaceAfter=4)
_NOTE = ParagraphStyle("note", fontName=PLAIN, fontSize=7.5, leading=10.5, textColor=MUTED)


def typeset(report: Report) -> bytes:
    """The file. Not for the event loop: it takes seconds."""
    fonts.register()
    file = io.BytesIO()
    document = BaseDocTemplate(
        file, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=_MARGIN,
        title=report.title, subject=report.about, author="Pregão", creator="Pregão",
    )  # fmt: skip
    frame = Frame(_MARGIN, _MARGIN, _WIDTH, A4[1] - 2 * _MARGIN, 0, 0, 0, 0)
    document.addPageTemplates([PageTemplate(frames=[frame])])
    story = [*_front(report), PageBreak(), *_charts(report), PageBreak(), *_table(report.table)]
    document.build(story, canvasmaker=_canvas_of(report.title))
    return file.getvalue()


def _front(report: Report) -> Iterable[Flowable]:
    made = f"{report.made_at:%d %B %Y, %H:%M} UTC"
    yield Spacer(1, 24 * mm)
    yield Paragraph("PREGÃO", ParagraphStyle("brand", _ABOUT, fontName=BOLD, textColor=GAIN))
    yield Paragraph(escape(report.title), _TITLE)
    yield Paragraph(f"{escape(report.about)}<br/>Made on {made}", _ABOUT)
    yield Spacer(1, 10 * mm)
    yield _tiles(_key_figures(report.figures))
    yield Spacer(1, 8 * mm)
    yield Paragraph(
        "Win rates are of wins and losses: a tie gives the stake back. Ratios are of daily returns on stakes, a year "
        "of 365 days. Drawdown is the deepest fall of the sum of what was won, at ends of days. What is not defined "
        "is shown as –. Past results say nothing of those to come.",
        _NOTE,
    )


def _key_figures(figures: Figures) -> list[tuple[str, str, str]]:
    """Name, value, and what belongs to it."""
    rate, drawdown, waited = figures.win_rate, figures.max_drawdown, figures.acknowledgement
    tested = figures.streaks.runs_test
    return [
        ("Profit and loss", f"{figures.pnl:+,.2f}", f"{figures.staked:,.2f} staked"),
        ("Trades", f"{figures.trades:,}", f"{figures.wins:,} won, {figures.losses:,} lost, {figures.ties:,} tied"),
        ("Win rate", _said(rate.value, ".1f", " %"), f"95 %: {_said(rate.lower, '.1f')} to {_said(rate.upper, '.1f')}"),
        ("Breaks even at", _said(rate.break_even, ".1f", " %"), f"edge {_said(rate.edge, '+.1f', ' points')}"),
        ("Expectancy", _said(figures.expectancy, "+,.2f"), f"{_said(figures.return_on_stakes, '+.2f')} % of stakes"),
        ("Profit factor", _said(figures.profit_factor, ".2f"), "gross profit by gross loss"),
        ("Sharpe ratio", _said(figures.sharpe_ratio, ".2f"), f"Sortino {_said(figures.sortino_ratio, '.2f')}"),
        ("Deepest drawdown", _said(drawdown and -drawdown.amount, ",.2f"),
         f"{drawdown.length_days} days, {'recovered' if drawdown.recovered else 'lasts'}" if drawdown else "none"),
        ("Longest streaks", f"{figures.streaks.longest_win} / {figures.streaks.longest_loss}",
         f"won / lost; runs test p {_said(tested and tested.p_value, '.2f')}"),
        ("Time at risk", f"{figures.exposure.time_at_risk:.1f} %", f"{figures.exposure.mean_at_risk:,.2f} on average"),
        ("Most at risk", f"{figures.exposure.most_at_risk:,.2f}", f"{figures.exposure.most_open:,} trades at once"),
        ("Acknowledged in", _said(waited.p50_ms, ",.0f", " ms"), f"99 % within {_said(waited.p99_ms, ',.0f', ' ms')}"),
    ]  # fmt: skip


def _tiles(figures: Sequence[tuple[str, str, str]], across: int = 3) -> Flowable:
    name = ParagraphStyle("tile", fontName=PLAIN, fontSize=8, leading=11, textColor=MUTED)
    value = ParagraphStyle("value", fontName=BOLD, fontSize=15, leading=20, textColor=INK)
    cells = [
        [Paragraph(escape(label), name), Paragraph(escape(said), value), Paragraph(escape(more), _NOTE)]
        for label, said, more in figures
    ]
    rows = [cells[at : at + across] for at in range(0, len(cells), across)]
    grid = Grid(rows, colWidths=[_WIDTH / across] * across)
    grid.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.5, RULE), ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 9), ("TOPPADDING", (0, 0), (-1, -1), 8),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
            ]
        )
    )  # fmt: skip
    return grid


def _charts(report: Report) -> Iterable[Flowable]:
    figures = report.figures
    days = [point.date for point in figures.equity]
    equity, below = ([float(value) for value in values] for values in zip(
        *((point.equity, point.drawdown) for point in figures.equity), strict=True
    ))  # fmt: skip
    break_even = figures.win_rate.break_even
    yield _section("Equity", "What was won in sum, at ends of days.", line_chart(days, equity, _WIDTH, 118, GAIN))
    yield _section("Drawdown", "How far that is below its peak.", line_chart(days, below, _WIDTH, 80, LOSS))
    if report.assets:
        bars = asset_bars(report.assets, break_even, _WIDTH)
        yield _section("Win rate by asset", "The assets that were traded most.", bars)
    if figures.by_weekday:
        drawn = hour_map(figures.by_weekday, break_even, _WIDTH)
        note = "Green is above the win rate that breaks even, red below; numbers are trades. Hours are of UTC."
        yield _section("By weekday and hour", note, drawn)


def _section(title: str, note: str, drawing: Flowable) -> Flowable:
    return KeepTogether([Paragraph(title, _HEAD), Paragraph(note, _NOTE), Spacer(1, 4), drawing])


def _table(table: Table) -> Iterable[Flowable]:
    yield Paragraph(escape(table.title), _HEAD)
    if table.about:
        yield Paragraph(escape(table.about), _NOTE)
    if table.left_out:
        yield Paragraph(f"The first {len(table.rows):,} rows; the CSV file has all of them.", _NOTE)
    if not table.rows:
        yield Paragraph("There are none.", _NOTE)
        return
    size = next((size for size in _SIZES if sum(_widths(table, size)) <= _WIDTH), _SIZES[-1])
    cell = ParagraphStyle("cell", fontName=PLAIN, fontSize=size, leading=size + 2, textColor=INK, wordWrap="CJK")
    head = ParagraphStyle("columns", cell, fontName=BOLD, textColor=white, wordWrap=None)
    needed = _widths(table, size)
    widths = [_WIDTH * each / sum(needed) for each in needed]
    for first in range(0, len(table.rows), _ROWS_A_GRID):
        rows = table.rows[first : first + _ROWS_A_GRID]
        names = [Paragraph(escape(name.replace("_", " ")), head) for name in table.columns]
        lines: list[list[Any]] = [names, *([Paragraph(escape(text), cell) for text in row] for row in rows)]
        grid = Grid(lines, colWidths=widths, repeatRows=1)
        grid.setStyle(
            TableStyle(
                [
                    ("BACKGROUND", (0, 0), (-1, 0), INK), ("LINEBELOW", (0, 1), (-1, -1), 0.3, RULE),
                    ("ROWBACKGROUNDS", (0, 1), (-1, -1), [white, HexColor(0xF8FAFB)]),
                    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"), ("LEFTPADDING", (0, 0), (-1, -1), 3),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 3), ("TOPPADDING", (0, 0), (-1, -1), 2.5),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
                ]
            )
        )  # fmt: skip
        yield grid


def _widths(table: Table, size: float) -> list[float]:
    """As wide as what is in the columns, as far as a look at some rows tells; what does not fit is wrapped."""
    some = table.rows[:: max(1, len(table.rows) // 100)]
    needed = []
    for at, name in enumerate(table.columns):
        words = max(stringWidth(word, BOLD, size) for word in name.split("_"))
        texts = max((stringWidth(row[at], PLAIN, size) for row in some), default=0.0)
        needed.append(max(words, min(texts, _WIDTH / 4)) + 7)
    return needed


def _canvas_of(title: str) -> type[Canvas]:
    class Numbered(Canvas):
        """Pages are finished when it is known how many there are."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - ReportLab's name
            self._pages.append(dict(self.__dict__))
            self._startPage()  # type: ignore[attr-defined]

        def save(self) -> None:
            for number, page in enumerate(self._pages, start=1):
                self.__dict__.update(page)
                self.setFont(PLAIN, 7)
                self.setFillColor(MUTED)
                if number > 1:
                    self.drawString(_MARGIN, 10 * mm, title)
                self.drawRightString(A4[0] - _MARGIN, 10 * mm, f"{number} of {len(self._pages)}")
                super().showPage()
            super().save()

    return Numbered


def _said(value: Any, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"
