"""The platform on one page: key figures, figures of now, the scanner's signals (api-contract §3.11, §4.7, §5.1)."""

from datetime import timedelta
from typing import Any, Literal

import msgspec

from libs.bus import Bus, Mirror
from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys
from libs.contracts.account import AccountType, SessionState, SessionStatus
from libs.contracts.admin import NoQuery
from libs.contracts.admin_rows import DashboardMetrics, Realtime, SignalMetrics
from libs.contracts.bots import BotStatus
from libs.contracts.rpc import Endpoint
from libs.store.figures import PlatformFigures
from services.analytics.answering import answering
from services.analytics.latest import Latest
from services.analytics.probes import Probes

_AGE = 1.0
_SOURCES = {
    "totalUsers": "auth.users",
    "activeBots": "bots that are not stopped",
    "activeSessions": "open sessions to the broker",
    "recentTrades": "trades",
    "winRate": "trades",
    "tradesToday": "trades on real accounts",
    "winRateToday": "trades on real accounts",
    "pnlToday": "trades on real accounts",
}


class Overview:
    def __init__(
        self,
        bus: Bus,
        figures: PlatformFigures,
        bots: Mirror[BotStatus],
        sessions: Mirror[SessionStatus],
        probes: Probes,
    ) -> None:
        self._clock = bus.clock
        self._figures = figures
        self._bots = bots
        self._sessions = sessions
        self._probes = probes
        self._now = Latest(self._look, _AGE, bus.clock)

    def costly(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        """What looks at everybody: to be kept for a moment (AnswerCache)."""
        return answering({rpc.DASHBOARD: self.dashboard})

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering(
            {
                rpc.REALTIME: self.realtime,
                rpc.SIGNALS_OF_DAY: self.signals_of_day,
                rpc.SIGNALS_EVER: self.signals_ever,
            }
        )

    async def dashboard(self, _: NoQuery) -> DashboardMetrics:
        figures = msgspec.structs.asdict(await self._figures.dashboard())
        return DashboardMetrics(**figures, active_bots_real=self._trading_real_money())

    async def realtime(self, _: NoQuery) -> Realtime:
        return await self._now.get()

    async def signals_of_day(self, _: NoQuery) -> SignalMetrics:
        """Of those given in the last 24 hours, counted from the beginning of an hour on."""
        return await self._signals("24h")

    async def signals_ever(self, _: NoQuery) -> SignalMetrics:
        return await self._signals("all-time")

    async def _signals(self, period: Literal["24h", "all-time"]) -> SignalMetrics:
        now = self._clock.now()
        counts = await self._figures.signals(now - timedelta(days=1) if period == "24h" else None)
        decided = counts.wins + counts.losses
        return SignalMetrics(
            total_trades=decided + counts.ties + counts.timeouts,
            wins=counts.wins,
            losses=counts.losses,
            win_rate=f"{100 * counts.wins / decided if decided else 0:.2f}",
            period=period,
            timestamp=now,
        )

    async def _look(self) -> Realtime:
        now = await self._figures.now()
        decided_today = now.wins_today + now.losses_today + now.ties_today
        win_rate = round(100 * now.recent_wins / now.recent_trades, 2) if now.recent_trades else 0.0
        health = self._probes.health
        return Realtime(
            total_users=now.total_users,
            active_bots=sum(entry.value.state.alive for _, entry in self._bots.items()),
            active_sessions=sum(entry.value.state is SessionState.CONNECTED for _, entry in self._sessions.items()),
            recent_trades=now.recent_trades,
            win_rate=f"{win_rate:.2f}",
            win_rate_value=win_rate,
            trades_today=now.trades_today,
            win_rate_today=round(100 * now.wins_today / decided_today, 2) if decided_today else 0.0,
            pnl_today=now.pnl_today,
            uptime=health.uptime,
            services={name: service.state for name, service in health.services.items()},
            sources=_SOURCES,
            timestamp=self._clock.now(),
        )

    def _trading_real_money(self) -> int:
        """Bots on real accounts that run while their user's session to the broker is open."""
        bots = [entry.value for _, entry in self._bots.items()]
        return sum(
            bot.state.alive and bot.bot.account_type is AccountType.REAL and self._connected(bot.user) for bot in bots
        )

    def _connected(self, user: str) -> bool:
        session = self._sessions.get(keys.session(user))
        return session is not None and session.state is SessionState.CONNECTED
