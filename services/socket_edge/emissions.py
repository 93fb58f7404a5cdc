"""Every Socket.IO event, declared once: what is sent, what may be asked, and what comes with it."""

from dataclasses import dataclass
from typing import Any

from services.socket_edge import payloads as told
from services.socket_edge import requests as ask
from services.socket_edge.responses import CandleOut

DEFAULT, ADMIN, BOT = "/", "/admin", "/bot"
NAMESPACES = {
    DEFAULT: "Candles, and what happens to the user whose token it is",
    ADMIN: "What operators see of everybody; administrators only",
    BOT: "Trades and signals of the user's bots",
}


@dataclass(frozen=True, slots=True)
class Emission:
    """What the edge sends."""

    name: str
    payload: Any
    """A type."""
    summary: str
    namespace: str = DEFAULT


@dataclass(frozen=True, slots=True)
class Request:
    """What a client may emit; it is acknowledged by `Ack`."""

    name: str
    payload: Any
    """A type; None: nothing is read."""
    summary: str
    namespace: str = DEFAULT


SNAPSHOT = Emission("snapshot", told.Snapshot, "How things stand when a socket has connected")
RESUMED = Emission("resumed", told.Resumed, "What was missed since `auth.lastSeq` has been sent")
RESUME_GAP = Emission("resume-gap", told.ResumeGap, "What was missed cannot be sent: read again what is shown")
POSITION_OPENED = Emission("position:opened", told.PositionOpened, "A position was opened, and its row is committed")
POSITION_CLOSED = Emission("position:closed", told.PositionClosed, "A position was closed, and its row is committed")
TRADE_COMPLETED = Emission("trade_completed", told.TradeCompleted, "The same, with the whole trade")
PNL_UPDATE = Emission("pnl_update", told.PnlUpdate, "How the run stands after a trade")
BOT_STATUS = Emission("bot_status", told.BotStatusEvent, "What the bot does, as a word")
STATUS_UPDATE = Emission("bot:status-update", told.StatusUpdateEvent, "The same for people; follows `bot_status`")
BALANCE_UPDATE = Emission("balance:update", told.BalanceUpdate, "A balance has changed")
NOTIFICATION = Emission("notification", told.Notification, "The platform has something to say to this user")
HISTORY = Emission("historical-candles", list[CandleOut], "Past candles, ascending, after `subscribe-candles`")
SUBSCRIBED = Emission("subscribed", told.Subscribed, "The history was sent, updates follow")
CANDLE_UPDATE = Emission("candle-update", CandleOut, "The subscribed feed's newest candle, nine times a second at most")
SUBSCRIPTION_ERROR = Emission(
    "subscription-error", told.Refused, "`subscribe-candles` was refused; nothing is shown now"
)
CANDLES = Emission("candles:snapshot", told.CandleSnapshot, "Past candles of a watched feed")
CANDLE = Emission("candles:update", told.FeedCandle, "A watched feed's newest candle, nine times a second at most")
ERROR = Emission("error", told.Refused, "Something this client emitted was refused")

GREETING_BOT = Emission("connected", told.Greeting, "After the connection", BOT)
RESUMED_BOT = Emission("resumed", told.Resumed, "What was missed since `auth.lastSeq` has been sent", BOT)
RESUME_GAP_BOT = Emission("resume-gap", told.ResumeGap, "What was missed cannot be sent", BOT)
TRADE_NEW = Emission("trade:new", told.TradeNew, "A bot's position was opened", BOT)
SIGNAL_NEW = Emission("signal:new", told.SignalNew, "A bot follows a signal", BOT)
ERROR_BOT = Emission("error", told.Refused, "Something this client emitted was refused", BOT)

GREETING_ADMIN = Emission("connected", told.Greeting, "After the connection", ADMIN)
TRADE_DONE = Emission("trade:completed", told.AdminTrade, "Anybody's trade was closed, and its row is committed", ADMIN)
BOT_CHANGED = Emission("bot:status-update", told.AdminBot, "Anybody's bot was started, paused, stopped, …", ADMIN)
ALERT_NEW = Emission("alert:new", told.AdminAlert, "An alert, or its end", ADMIN)
LOG_NEW = Emission("log:new", told.AdminLog, "An entry in the log: who did what, what went wrong", ADMIN)
HEALTH_CHANGE = Emission("health:change", told.HealthChange, "Something that this edge stands on came or went", ADMIN)
USER_ACTIVATED = Emission("user:activated", told.AdminUser, "Somebody's suspension was lifted", ADMIN)
USER_SUSPENDED = Emission("user:suspended", told.AdminSuspension, "Somebody was suspended", ADMIN)
USER_ROLE = Emission("user:roleUpdated", told.AdminRole, "Somebody was appointed or dismissed", ADMIN)
USER_PASSWORD = Emission("user:passwordReset", told.AdminUser, "Somebody was sent a recovery e-mail", ADMIN)
CAMPAIGN_PROGRESS = Emission(
    "campaign:progress", told.AdminCampaign, "A campaign is further, or in another state", ADMIN
)
METRICS = Emission("metrics:update", told.MetricsUpdate, "Figures of now; about every two seconds", ADMIN)
ERROR_ADMIN = Emission("error", told.Refused, "Something this client emitted was refused", ADMIN)

EMISSIONS = tuple(value for value in globals().values() if isinstance(value, Emission))
ERRORS = {each.namespace: each for each in (ERROR, ERROR_BOT, ERROR_ADMIN)}

SUBSCRIBE = Request(
    "subscribe-candles", ask.CandleSubscription, "Show this feed, in the place of the one before (one per socket)"
)
UNSUBSCRIBE = Request("unsubscribe-candles", None, "End what `subscribe-candles` began")
WATCH = Request("watch-candles", ask.FeedQuery, "Show this feed besides the others")
UNWATCH = Request("unwatch-candles", ask.FeedQuery, "End what `watch-candles` began")
REQUEST_METRICS = Request("request:metrics", None, "Send `metrics:update` now", ADMIN)

REQUESTS = (SUBSCRIBE, UNSUBSCRIBE, WATCH, UNWATCH, REQUEST_METRICS)
