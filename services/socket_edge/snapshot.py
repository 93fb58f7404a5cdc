"""How a user's things stand."""

from datetime import datetime
from typing import Protocol, TypeVar

from libs.contracts.account import AccountType, Balances, SessionState, SessionStatus
from libs.contracts.bots import BotStatus
from libs.contracts.ids import BotId
from libs.contracts.score import Score
from services.socket_edge import events
from services.socket_edge.line import Line
from services.socket_edge.payloads import BotSnapshot, Snapshot
from services.socket_edge.state import State


class _Dated(Protocol):
    @property
    def at(self) -> datetime: ...


D = TypeVar("D", bound=_Dated)


def snapshot(user: str, state: State, line: Line, seq: int, at: datetime) -> Snapshot:
    """Not older than the events that `line` told."""
    session = _newest(line.latest.get(SessionStatus), state.of(user).session)
    balances: Balances | None = _newest(line.latest.get(Balances), state.of(user).balances)
    bots = (_bot(user, account_type, state, line) for account_type in AccountType)
    return Snapshot(
        user_id=user,
        timestamp=at,
        seq=seq,
        connected=session is not None and session.state is SessionState.CONNECTED,
        balances=() if balances is None else events.amounts(balances),
        bots=tuple(bot for bot in bots if bot is not None),
    )


def _bot(user: str, account_type: AccountType, state: State, line: Line) -> BotSnapshot | None:
    status: BotStatus | None = _newest(line.latest.get((BotStatus, account_type)), state.of(user).bots[account_type])
    score: Score | None = _newest(line.latest.get((Score, account_type)), state.score(BotId(user, account_type)))
    if status is None:
        return None
    return BotSnapshot(
        state=status.state,
        bot_status=events.bot_status_of(status),
        pnl=None if score is None else events.pnl_of(score),
    )


def _newest(one: D | None, other: D | None) -> D | None:
    """A replica and the stream tell the same over two paths."""
    if one is None or other is None:
        return one or other
    return one if one.at > other.at else other
