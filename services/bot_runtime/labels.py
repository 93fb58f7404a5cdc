"""What people read about a bot, verbatim in the browser (api-contract §10.3)."""

from datetime import datetime

from libs.contracts.orders import OrderRecord, TradeResult

STARTING = "Starting bot..."
ANALYZING = "Analyzing markets..."
TRACKING = "Tracking results..."
STOPPING = "Stopping: waiting for the open position..."
PAUSING = "Pausing: waiting for the open position..."
PAUSED = "Paused"
RECONFIGURED = "Configuration changed"
NO_CONNECTION = "Waiting for the broker connection..."
BY_USER = "user"
"""The reason of an ordinary stop; it is not told."""

_RESULTS = {TradeResult.WIN: "✅ WIN", TradeResult.LOSS: "❌ LOSS", TradeResult.TIE: "⚪ TIE"}


def signal_found(direction: str, ticker: str, confidence: int) -> str:
    return f"Signal found: {direction.upper()} on {ticker} ({confidence}%)"


def opening(ticker: str) -> str:
    return f"Opening position on {ticker}..."


def held(reason: str, until: datetime | None, now: datetime) -> str:
    """What keeps it from trading; `until`: when that ends by itself, UTC as `now`."""
    if until is None:
        return reason
    return f"Waiting until {until:{'%H:%M:%S' if until.date() == now.date() else '%d %b %H:%M:%S'}} UTC: {reason}"


def waiting_for(asset: str | None, why: str) -> str:
    return f"Waiting: {asset} {why}..."


def closed(result: TradeResult) -> str:
    return f"Position closed - {_RESULTS[result]}"


def rejected(record: OrderRecord) -> str:
    return f"Order rejected - {record.reason or record.code}"


def unknown(record: OrderRecord) -> str:
    """Why a bot stops that cannot know what became of its order."""
    return f"the outcome of the order on {record.order.ticker} is unknown"


def stopped(reason: str) -> str:
    return "Bot Stopped" if reason in ("", BY_USER) else f"Bot stopped - {reason}"
