"""Subject names: the one place that spells them. `user` is a UUID; user text never enters a subject."""

from libs.contracts import keys
from libs.contracts.market import Feed
from libs.contracts.orders import OrderState


def candle(feed: Feed) -> str:
    return f"market.candle.{feed.active_id}.{feed.size}"


def closed_candle(feed: Feed) -> str:
    return f"market.closed.{feed.active_id}.{feed.size}"


def closed_candles(size: int) -> str:
    """Of every active."""
    return f"market.closed.*.{size}"


def trade(user: str, state: OrderState) -> str:
    """`state` is opened, closed, rejected or unknown."""
    return f"trade.{user}.{state}"


def ledger(user: str, state: OrderState) -> str:
    """`state` is opened or closed."""
    return f"ledger.{user}.{state}"


def alert(severity: str) -> str:
    return f"alert.{severity}"


def scanner_signal(feed: Feed) -> str:
    return f"scanner.signal.{feed.active_id}.{feed.size}"


def news(user: str, kind: str) -> str:
    return f"news.{user}.{kind}"


def dead_letter(stream: str, consumer: str) -> str:
    """What that consumer can never handle."""
    return f"dlq.{stream}.{consumer}"


def replay(stream: str, consumer: str) -> str:
    """Asked by operators: one of its dead letters once more."""
    return f"replay.{stream}.{consumer}"


def operators(kind: str) -> str:
    """For who looks on: `kind` is alert or log."""
    return f"operators.{kind}"


def rpc(service: str, endpoint: str) -> str:
    return f"rpc.{service}.{endpoint}"


def session_rpc(user: str, verb: str) -> str:
    """Answered by the one gateway that holds this user's session; no responders means no session."""
    return f"rpc.gateway.{user}.{verb}"


def export_piece(id: str, number: int) -> str:
    """Of an export's file."""
    return f"export.{id}.{number}"


def crm_event(type: str) -> str:
    """`type` is one of `libs.contracts.crm.events`."""
    return f"crm.event.{type}"


def notice(user: str) -> str:
    """What the CRM tells a user in the application."""
    return f"notice.{user}"


def crm_seen(kind: str) -> str:
    """Of mails; `kind` is open or click."""
    return f"crm.seen.{kind}"


ALL_CRM_EVENTS = "crm.event.>"
ALL_RUN_TIMERS = "wf.sched.*"
"""Timers of workflows: what is stored there is told under…"""
ALL_DUE_RUNS = "wf.due.*"
"""…this when its time comes. The database writes both, and their tokens are runs."""
ALL_NOTICES = notice("*")
ALL_CRM_SEEN = "crm.seen.*"
ALL_CANDLES = "market.candle.*.*"
ALL_CLOSED_CANDLES = "market.closed.*.*"
ALL_SCANNER_SIGNALS = "scanner.signal.*.*"
SCANNER_RANKING = "scanner.ranking"
ALL_TRADES = "trade.*.*"
ALL_LEDGER = "ledger.*.*"
ALL_ALERTS = "alert.*"
ALL_DEAD_LETTERS = "dlq.>"
OPERATORS_ALERT = operators("alert")
OPERATORS_LOG = operators("log")
OPERATORS_USER = operators("user")
OPERATORS_CAMPAIGN = operators("campaign")
VISITS = "visits"
ALL_BOT_STATES = "bot.*.*.*"
ALL_BOT_STATUSES = f"bot.{keys.bot_status(keys.EVERY_BOT)}"
ALL_BOT_SCORES = f"bot.{keys.bot_score(keys.EVERY_BOT)}"
ALL_BOT_SIGNALS = f"bot.{keys.bot_signal(keys.EVERY_BOT)}"

ALL_NEWS = "news.*.*"
NEWS_TRADE = "trade"
"""TradeRecorded."""
NEWS_STATUS = "status"
NEWS_SCORE = "score"
NEWS_SIGNAL = "signal"
NEWS_SESSION = "session"
NEWS_BALANCE = "balance"
NEWS_NOTICE = "notice"
NEWS_ALERT = news("operators", "alert")
"""AlertRecorded, of no user in particular; as is…"""
NEWS_LOG = news("operators", "log")
"""…LogRecorded."""
NEWS_USER = news("operators", "user")
"""UserActed: for operators, not for that user."""
NEWS_CAMPAIGN = news("operators", "campaign")
"""CampaignProgress, for operators."""
