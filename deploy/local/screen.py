"""What `make watch` shows: one user's candle, bot, trades and profit, kept up to date by socket events."""

from collections import OrderedDict
from datetime import datetime

import msgspec
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_TRADES = 12
_COLOURS = {"WIN": "green", "LOSS": "red", "TIE": "yellow"}


class Candle(msgspec.Struct):
    time: int
    """Epoch seconds; its end."""
    open: float
    high: float
    low: float
    close: float


class Opened(msgspec.Struct, rename="camel"):
    trade_id: str
    active_name: str
    direction: str
    amount: float
    timestamp: datetime


class Completed(msgspec.Struct, rename="camel"):
    trade_id: str
    asset: str
    direction: str
    amount: float
    result: str
    pnl: float
    opened_at: datetime


class Score(msgspec.Struct, rename="camel"):
    total_pnl: float = 0.0
    win_rate: float = 0.0
    total_trades: int = 0
    wins: int = 0
    losses: int = 0
    ties: int = 0


class Said(msgspec.Struct, rename="camel"):
    status: str
    current_asset: str | None = None


class Trade(msgspec.Struct):
    opened: datetime
    asset: str
    direction: str
    amount: float
    result: str = ""
    """Empty while it is open."""
    pnl: float = 0.0


class Screen:
    """`hear` takes every event of the socket; those it does not show are ignored."""

    def __init__(self, user: str, asset: str, timeframe: int) -> None:
        self._user = user
        self._asset = asset
        self._timeframe = timeframe
        self.link = "connecting"
        self._candle: Candle | None = None
        self._said = Said(status="–")
        self._score = Score()
        self._trades: OrderedDict[str, Trade] = OrderedDict()
        self._problem = ""

    def hear(self, event: str, data: object) -> None:
        match event:
            case "historical-candles" if isinstance(data, list) and data:
                self._candle = msgspec.convert(data[-1], Candle)
            case "candle-update":
                self._candle = msgspec.convert(data, Candle)
            case "subscription-error":
                self._problem = msgspec.convert(data, dict[str, str]).get("message", "")
            case "bot:status-update":
                self._said = msgspec.convert(data, Said)
            case "pnl_update":
                self._score = msgspec.convert(data, Score)
            case "position:opened":
                opened = msgspec.convert(data, Opened)
                trade = Trade(opened.timestamp, opened.active_name, opened.direction, opened.amount)
                self.keep(opened.trade_id, trade)
            case "trade_completed":
                done = msgspec.convert(data, Completed)
                trade = Trade(done.opened_at, done.asset, done.direction, done.amount, done.result, done.pnl)
                self.keep(done.trade_id, trade)

    def keep(self, trade_id: str, trade: Trade) -> None:
        self._trades[trade_id] = trade
        while len(self._trades) > _TRADES:
            self._trades.popitem(last=False)

    def begin(self, label: str, score: Score) -> None:
        """What was so before the first event."""
        self._said, self._score = Said(status=label), score

    def __rich__(self) -> RenderableType:
        return Group(self._heading(), self._candles(), self._table(), self._total())

    def _heading(self) -> RenderableType:
        text = Text.assemble(("Pregão  ", "bold"), self._user, "   socket: ", self.link, "\n")
        asset = f" ({self._said.current_asset})" if self._said.current_asset else ""
        return text.append(f"bot: {self._said.status}{asset}")

    def _candles(self) -> RenderableType:
        title = f"{self._asset} · {self._timeframe} s"
        if self._candle is None:
            return Panel(self._problem or "waiting for the first candle", title=title)
        candle = self._candle
        colour = "green" if candle.close >= candle.open else "red"
        prices = f"O {candle.open:g}   H {candle.high:g}   L {candle.low:g}   C {candle.close:g}"
        ends = datetime.fromtimestamp(candle.time).astimezone()
        return Panel(Text(f"{prices}   until {ends:%H:%M:%S}", style=colour), title=title)

    def _table(self) -> RenderableType:
        table = Table("opened", "asset", "direction", "stake", "result", "profit", title="Trades")
        for trade in reversed(self._trades.values()):
            table.add_row(
                f"{trade.opened.astimezone():%H:%M:%S}",
                trade.asset,
                trade.direction.upper(),
                f"{trade.amount:,.2f}",
                Text(trade.result or "open", style=_COLOURS.get(trade.result, "cyan")),
                f"{trade.pnl:+,.2f}" if trade.result else "",
            )
        return table

    def _total(self) -> RenderableType:
        score = self._score
        counted = f"{score.wins} won, {score.losses} lost, {score.ties} tied, {score.win_rate:g} %"
        colour = "green" if score.total_pnl >= 0 else "red"
        return Text.assemble("this run: ", (f"{score.total_pnl:+,.2f}", f"bold {colour}"), f"   {counted}")
