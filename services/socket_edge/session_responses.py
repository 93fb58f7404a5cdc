"""Answers about connections to the broker and runs of bots, one user's and everybody's (api-contract §4.1, §4.5–6)."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from libs.contracts.bots import BotState, BotStatus
from libs.contracts.codec import Message
from libs.contracts.score import Score
from services.socket_edge.responses import Success


class ConnectionAnswer(Success, frozen=True, kw_only=True, rename="camel"):
    connected: bool
    balance: Decimal
    """Of the account type that `bot_status.account_type` shows."""
    connection_type: Literal["websocket", "unknown"]
    last_update: datetime


class NeverConnected(Success, frozen=True, kw_only=True):
    connected: Literal[False] = False
    message: str = "No connection was ever made"


class BrokerSession(Message, frozen=True, kw_only=True, rename="camel"):
    """The broker's own session id is never told: whoever has it can trade."""

    user_id: UUID
    avalon_user_id: str
    balance: Decimal
    """Of the demo account."""
    currency: str
    session_id: str
    """Ours: it changes when the user connects anew, and opens nothing."""
    created_at: datetime
    age_ms: int
    age_hours: str


class BrokerSessionAnswer(Success, frozen=True, kw_only=True):
    data: BrokerSession


class BrokerSessionMade(Success, frozen=True, kw_only=True):
    message: str
    data: BrokerSession


class HandleValid(Success, frozen=True, kw_only=True):
    valid: Literal[True] = True
    message: str


class RunNumbers(Message, frozen=True, kw_only=True):
    """Of a run so far."""

    trades: int = 0
    wins: int = 0
    losses: int = 0
    profit: Decimal = Decimal(0)

    @classmethod
    def of(cls, status: BotStatus | None, score: Score | None) -> "RunNumbers":
        """Zeros before the run's first result: what is stored then is of the run before."""
        if status is None or score is None or score.run != status.run:
            return cls()
        return cls(trades=score.trades, wins=score.wins, losses=score.losses, profit=score.total)


SessionWord = Literal["running", "paused"]


def word(status: BotStatus) -> SessionWord:
    return "paused" if status.state is BotState.PAUSED else "running"


class BotSessionStarted(Message, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    status: Literal["running"] = "running"
    start_time: datetime


class BotSessionStartAnswer(Success, frozen=True, kw_only=True):
    message: str
    session: BotSessionStarted


class BotSessionStopAnswer(Success, frozen=True, kw_only=True):
    message: str
    stats: RunNumbers


class BotSessionStatus(Success, frozen=True, kw_only=True, rename="camel"):
    active: Literal[True] = True
    status: SessionWord
    start_time: datetime
    uptime_ms: int
    uptime_minutes: str
    stats: RunNumbers


class NoBotSession(Success, frozen=True, kw_only=True):
    active: Literal[False] = False
    message: str = "No active session found for this user"


class BotSession(Message, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    account_type: str
    status: SessionWord
    start_time: datetime
    stats: RunNumbers


class BotSessionsAnswer(Success, frozen=True, kw_only=True):
    count: int
    """Of all, also of those that are not listed."""
    sessions: list[BotSession]


class BotTotals(Success, frozen=True, kw_only=True, rename="camel"):
    """Of the bots that run now, in their runs so far."""

    active_sessions: int
    total_trades: int
    total_wins: int
    total_losses: int
    total_profit: Decimal
    win_rate: str
    """Percent of all trades, two decimals."""


class BotsStopped(Success, frozen=True, kw_only=True):
    message: str
    count: int


class SessionsCleaned(Success, frozen=True, kw_only=True):
    cleaned: int
    remaining: int
