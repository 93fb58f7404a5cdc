"""What operators see of everybody, in `/admin`."""

from typing import Any

import msgspec
import structlog

from libs.bus import Stored
from libs.contracts import subjects
from libs.contracts.alerts import AlertRecorded
from libs.contracts.bots import BotState, BotStatus
from libs.contracts.codec import decode
from libs.contracts.crm.campaigns import CampaignProgress, Progress
from libs.contracts.ids import BotId
from libs.contracts.logs import LogRecorded
from libs.contracts.orders import TradeRecorded
from libs.contracts.users import UserActed, UserAction
from services.socket_edge import emissions
from services.socket_edge.fanout import Fanout
from services.socket_edge.line import SLOTS
from services.socket_edge.payloads import (
    AdminAlert,
    AdminBot,
    AdminCampaign,
    AdminLog,
    AdminRole,
    AdminSuspension,
    AdminTrade,
    AdminUser,
    HealthChange,
)
from services.socket_edge.state import State

log = structlog.get_logger()

_OF_ACTION = {
    UserAction.ACTIVATED: emissions.USER_ACTIVATED,
    UserAction.SUSPENDED: emissions.USER_SUSPENDED,
    UserAction.ROLE: emissions.USER_ROLE,
    UserAction.PASSWORD_RESET: emissions.USER_PASSWORD,
}


class OperatorEvents:
    """While no operator listens, nothing is done."""

    def __init__(self, fanout: Fanout, state: State) -> None:
        self._fanout = fanout
        self._state = state
        self._sids: set[str] = set()
        self._states: dict[BotId, BotState] = {}
        """As last told."""

    @property
    def listening(self) -> frozenset[str]:
        """Their sockets."""
        return frozenset(self._sids)

    def arrived(self, sid: str) -> None:
        if not self._sids:
            self._states = self._state.bot_states()
        self._sids.add(sid)

    def left(self, sid: str) -> None:
        self._sids.discard(sid)

    def hear(self, stored: Stored) -> None:
        if not self._sids or not stored.data:
            return
        kind = stored.subject.rsplit(".", 1)[1]
        try:
            if kind == subjects.NEWS_TRADE:
                self._trade(stored, decode(stored.data, TradeRecorded))
            elif kind == subjects.NEWS_STATUS:
                self._bot(stored, decode(stored.data, BotStatus))
            elif stored.subject == subjects.NEWS_ALERT:
                self._alert(stored, decode(stored.data, AlertRecorded))
            elif stored.subject == subjects.NEWS_LOG:
                self._log(stored, decode(stored.data, LogRecorded))
            elif stored.subject == subjects.NEWS_CAMPAIGN:
                self._campaign(stored, decode(stored.data, CampaignProgress))
            elif stored.subject == subjects.NEWS_USER:
                self._user(stored, decode(stored.data, UserActed))
        except msgspec.DecodeError as error:
            log.error("undecodable_message", subject=stored.subject, error=str(error))

    def health(self, change: HealthChange) -> None:
        self._fanout.deliver_to(list(self._sids), emissions.HEALTH_CHANGE, change)

    def _trade(self, stored: Stored, recorded: TradeRecorded) -> None:
        closed = recorded.closed
        if closed is None:
            return
        told = AdminTrade(
            timestamp=closed.at,
            seq=_seq(stored),
            user_id=closed.order.user,
            trade_id=str(recorded.trade_id),
            asset=closed.order.ticker,
            direction=closed.order.direction.upper(),
            amount=closed.order.stake,
            result=closed.settlement.result,
            pnl=closed.settlement.profit,
            account_type=closed.order.account_type,
            strategy=closed.order.strategy,
        )
        self._fanout.deliver_to(list(self._sids), emissions.TRADE_DONE, told)

    def _bot(self, stored: Stored, status: BotStatus) -> None:
        """Whether it runs; what it does all the time would be too much."""
        if self._states.get(status.bot) is status.state:
            return
        self._states[status.bot] = status.state
        told = AdminBot(
            timestamp=status.at,
            seq=_seq(stored),
            user_id=status.user,
            account_type=status.bot.account_type,
            state=status.state,
            label=status.label,
            reason=status.reason,
        )
        self._fanout.deliver_to(list(self._sids), emissions.BOT_CHANGED, told)

    def _alert(self, stored: Stored, recorded: AlertRecorded) -> None:
        alert = recorded.alert
        told = AdminAlert(
            timestamp=alert.at,
            seq=_seq(stored),
            id=recorded.number,
            event_id=alert.id,
            alert_type=alert.type,
            severity=alert.severity,
            message=alert.message,
            is_resolved=bool(alert.ends),
            service=alert.service,
            kind=alert.kind,
            user_id=alert.user or None,
            details=alert.details,
            ends=alert.ends,
        )
        self._fanout.deliver_to(list(self._sids), emissions.ALERT_NEW, told)

    def _log(self, stored: Stored, entry: LogRecorded) -> None:
        told = AdminLog(
            timestamp=entry.at,
            seq=_seq(stored),
            id=entry.number,
            level=entry.level,
            origin=entry.origin,
            message=entry.message,
            metadata=entry.metadata,
            created_at=entry.at,
        )
        self._fanout.deliver_to(list(self._sids), emissions.LOG_NEW, told)

    def _campaign(self, stored: Stored, progress: CampaignProgress) -> None:
        counts = {name: getattr(progress, name) for name in Progress.__struct_fields__}
        told = AdminCampaign(
            timestamp=progress.at,
            seq=_seq(stored),
            campaign_id=str(progress.id),
            name=progress.name,
            status=progress.status,
            why=progress.why,
            stats=Progress(**counts),
        )
        self._fanout.deliver_to(list(self._sids), emissions.CAMPAIGN_PROGRESS, told)

    def _user(self, stored: Stored, acted: UserActed) -> None:
        common: dict[str, Any] = {
            "timestamp": acted.at, "seq": _seq(stored), "user_id": acted.user, "admin_user_id": acted.by,
        }  # fmt: skip
        told: AdminUser
        match acted.action:
            case UserAction.SUSPENDED:
                told = AdminSuspension(**common, reason=acted.reason)
            case UserAction.ROLE:
                told = AdminRole(**common, new_role=acted.role)
            case _:
                told = AdminUser(**common)
        self._fanout.deliver_to(list(self._sids), _OF_ACTION[acted.action], told)


def _seq(stored: Stored) -> int:
    return stored.sequence * SLOTS
