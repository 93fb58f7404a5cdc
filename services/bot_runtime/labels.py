"""What people read about a bot, verbatim in the browser (api-contract §10.3)."""

from libs.contracts.orders import OrderRecord, TradeResult

STARTING = "Starting bot..."
ANALYZING = "Analyzing markets..."
TRACKING = "Tracking results..."
STOPPING = "Stopping: waiting for the open position..."
PAUSING = "Pausing: waiting for the open position..."
PAUSED = "Paused"
RECONFIGURED = "Configuration changed"
NO_CONNECTION = "Waiting for the broker connection..."
NO_FUNDS = "Waiting for funds: the balance is below the amount per trade..."
BY_USER = "user"
"""The reason of an ordinary stop; it is not told."""

_RESULTS = {TradeResult.WIN: "✅ WIN", TradeResult.LOSS: "❌ LOSS", TradeResult.TIE: "⚪ TIE"}


def signal_found(direction: str, ticker: str, confidence: int) -> str:
    return f"Signal found: {direction.upper()} on {ticker} ({confidence}%)"


def opening(ticker: str) -> str:
    return f"Opening position on {ticker}..."


def closed(result: TradeResult) -> str:
    return f"Position closed - {_RESULTS[result]}"


def rejected(record: OrderRecord) -> str:
    return f"Order rejected - {record.reason or record.code}"


def unknown(record: OrderRecord) -> str:
    """Why a bot stops that cannot know what became of its order."""
    return f"the outcome of the order on {record.order.ticker} is unknown"


def stopped(reason: str) -> str:
    return "Bot Stopped" if reason in ("", BY_USER) else f"Bot stopped - {reason}"
