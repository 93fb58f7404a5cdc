"""Drawings: a line over days, bars by asset, a map of hours. Colours tell apart what is above from what is below, also
in print: below is darker."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Literal

from reportlab.graphics.shapes import Drawing, Line, Polygon, PolyLine, Rect, String
from reportlab.lib.colors import Color, HexColor

from libs.contracts.figures import WeekdayCell
from services.analytics.pdf.fonts import PLAIN
from services.analytics.pdf.report import AssetBar

INK, MUTED, RULE = HexColor(0x1F2933), HexColor(0x6B7785), HexColor(0xD5DBE1)
GAIN, LOSS = HexColor(0x3E9B8F), HexColor(0xB5473C)
_EMPTY = HexColor(0xF3F5F7)
_LEFT, _BOTTOM, _TOP = 62.0, 20.0, 8.0
"""Points around a chart, for its labels."""
_LEAST = 0.005
"""Less is no amount of money."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def line_chart(days: Sequence[date], values: Sequence[float], width: float, height: float, color: Color) -> Drawing:
    """Money by day, with its zero line; the area down, or up, to it is filled."""
    drawing = Drawing(width, height)
    ticks = nice_ticks(min([0.0, *values]), max([0.0, *values]))
    low, high = ticks[0], ticks[-1]
    right, top = width - 4, height - _TOP

    def y(value: float) -> float:
        return _BOTTOM + (value - low) / (high - low) * (top - _BOTTOM)

    def x(at: int) -> float:
        return _LEFT + (at / (len(values) - 1) if len(values) > 1 else 0.5) * (right - _LEFT)

    for tick in ticks:
        drawing.add(Line(_LEFT, y(tick), right, y(tick), strokeColor=INK if tick == 0 else RULE, strokeWidth=0.5))
        drawing.add(_text(_LEFT - 5, y(tick) - 2.5, f"{tick:,.10g}", anchor="end"))
    points = [(x(at), y(value)) for at, value in enumerate(values)]
    if len(points) > 1:
        area = [(points[0][0], y(0)), *points, (points[-1][0], y(0))]
        fill = Color(color.red, color.green, color.blue, alpha=0.15)
        drawing.add(Polygon([each for point in area for each in point], fillColor=fill, strokeColor=None))
        drawing.add(PolyLine([each for point in points for each in point], strokeColor=color, strokeWidth=1.3))
    for at in label_places(len(days), 6):
        drawing.add(_text(x(at), 6, days[at].strftime("%d %b %Y"), _anchor(at, len(days))))
    return drawing


def asset_bars(bars: Sequence[AssetBar], break_even: float | None, width: float) -> Drawing:
    """Win rates, with the one that breaks even as a line."""
    step, label = 17.0, 104.0
    height = step * len(bars) + 24
    drawing = Drawing(width, height)
    right = width - 128
    scale = (right - label) / 100
    for number, bar in enumerate(bars):
        y = height - step * (number + 1)
        good = break_even is None or bar.win_rate >= break_even
        drawing.add(_text(label - 6, y + 3.5, _shortened(bar.asset, 18), anchor="end", color=INK))
        drawing.add(_box(label, y, right - label, 11, _EMPTY))
        drawing.add(_box(label, y, bar.win_rate * scale, 11, GAIN if good else LOSS))
        said = f"{bar.win_rate:.1f} % of {bar.trades:,} · {bar.pnl:+,.2f}"
        drawing.add(_text(right + 6, y + 3, said, color=INK))
    if break_even is not None:
        x = label + break_even * scale
        drawing.add(Line(x, 18, x, height, strokeColor=INK, strokeWidth=0.8, strokeDashArray=[3, 2]))
        drawing.add(_text(x, 8, f"breaks even at {break_even:.1f} %", anchor="middle"))
    return drawing


def hour_map(cells: Sequence[WeekdayCell], break_even: float | None, width: float) -> Drawing:
    """Weekday × hour of UTC: the colour is how far the win rate is from the one that breaks even, the number how many
    trades there were."""
    left, head = 34.0, 16.0
    side = (width - left) / 24
    drawing = Drawing(width, head + 7 * side)
    known = {(cell.weekday, cell.hour): cell for cell in cells}
    for hour in range(24):
        drawing.add(_text(left + (hour + 0.5) * side, 7 * side + 5, f"{hour:02}", anchor="middle"))
    for weekday, name in enumerate(_DAYS, start=1):
        y = (7 - weekday) * side
        drawing.add(_text(left - 6, y + side / 2 - 2.5, name, anchor="end"))
        for hour in range(24):
            cell = known.get((weekday, hour))
            fill = _EMPTY if cell is None else _shade(cell.win_rate, break_even or 50.0)
            drawing.add(_box(left + hour * side + 0.5, y + 0.5, side - 1, side - 1, fill))
            if cell is not None:
                place = left + (hour + 0.5) * side
                drawing.add(_text(place, y + side / 2 - 2, compact(cell.trades), anchor="middle", size=5.5, color=INK))
    return drawing


def nice_ticks(low: float, high: float) -> list[float]:
    """Five or so round numbers that contain these, from 1, 2 and 5 times a power of ten."""
    span = high - low
    if span < _LEAST:
        return [low, low + 1]
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def label_places(number: int, most: int) -> list[int]:
    """Of so many points those that get a label: the first, the last, and some in between."""
    if number <= most:
        return list(range(number))
    return [round(at * (number - 1) / (most - 1)) for at in range(most)]


def compact(number: int) -> str:
    """In at most four characters."""
    steps: tuple[tuple[int, str], ...] = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
    for size, letter in steps:
        if number >= size:
            value = number / size
            return f"{value:.0f}{letter}" if value >= 10 else f"{value:.1f}{letter}"
    return str(number)


def _anchor(at: int, number: int) -> Literal["start", "middle", "end"]:
    """So that the first and the last stay within the chart."""
    if number == 1 or 0 < at < number - 1:
        return "middle"
    return "start" if at == 0 else "end"


def _shade(win_rate: float | None, middle: float) -> Color:
    """White where it breaks even; at 20 points away as strong as it gets."""
    if win_rate is None:
        return _EMPTY
    strength = min(1.0, abs(win_rate - middle) / 20)
    strong = GAIN if win_rate >= middle else LOSS
    red, green, blue = (1 + (part - 1) * (0.12 + 0.68 * strength) for part in (strong.red, strong.green, strong.blue))
    return Color(red, green, blue)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _box(x: float, y: float, width: float, height: float, fill: Color) -> Rect:
    box = Rect(x, y, width, height)
    box.fillColor, box.strokeColor = fill, None
    return box


def _text(
    x: float, y: float, text: str, anchor: Literal["start", "middle", "end"] = "start", size: float = 7.0,
    color: Color = MUTED,
) -> String:  # fmt: skip
    return String(x, y, text, fontName=PLAIN, fontSize=size, fillColor=color, textAnchor=anchor)
