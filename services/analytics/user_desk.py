"""Users as administrators look for them (api-contract §4.8, §5.3, §5.7, §5.8)."""

from datetime import timedelta
from typing import Any

import msgspec

from libs.bus import Bus, Mirror
from libs.bus.rpc import Handler
from libs.bus.topology import ACCOUNTS
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys
from libs.contracts.account import AccountType, Balances
from libs.contracts.admin import Accounts, MetricsOfUser, OfUserId, PageOfUser, Period, Rows, UsersQuery
from libs.contracts.admin_rows import Activity, Slice, UserDetails, UserGrowth, UserListItem, UserMetrics, UserSession
from libs.contracts.bots import BotStatus
from libs.contracts.ids import BotId
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store.activity import ActivityLog
from libs.store.cursors import BadCursor
from libs.store.users import (
    FoundUser,
    Growth,
    SliceSums,
    UserOrder,
    UserRecord,
    Users,
    Wanted,
    cursor_of,
    position_of,
)
from libs.store.visits import Visit, Visits
from services.analytics.answering import accounts_of, answering
from services.analytics.periods import days_of


class UserDesk:
    """Raises RpcError: INVALID_REQUEST for a cursor that is none, NOT_FOUND."""

    def __init__(self, bus: Bus, users: Users, visits: Visits, activity: ActivityLog, bots: Mirror[BotStatus]) -> None:
        self._clock = bus.clock
        self._accounts = bus.bucket(ACCOUNTS)
        self._users = users
        self._visits = visits
        self._activity = activity
        self._bots = bots

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering(
            {
                rpc.USERS: self.users,
                rpc.USER: self.user,
                rpc.USER_METRICS: self.metrics,
                rpc.USER_GROWTH: self.growth,
                rpc.USER_SESSIONS: self.sessions,
                rpc.USER_ACTIVITY: self.activity,
            }
        )

    async def users(self, query: UsersQuery) -> Rows[UserListItem]:
        wanted = Wanted(accounts=query.account_type.value, search=query.search.strip() or None, active=query.is_active)
        order = UserOrder(by=query.sort_by, ascending=query.sort_order == "asc")
        try:
            after = position_of(query.cursor, order) if query.cursor else None
        except BadCursor as error:
            raise RpcError(ErrorCode.INVALID_REQUEST, "`cursor`: Expected the `next` of another page") from error
        offset = 0 if after is not None else query.offset
        found = await self._users.find(wanted, order, query.limit + 1, offset, after)
        rows, more = found[: query.limit], len(found) > query.limit
        total = found[0].total if found else await self._users.count(wanted)
        return Rows(rows=tuple(map(_item, rows)), total=total, next=cursor_of(rows[-1]) if more else "")

    async def user(self, query: OfUserId) -> UserDetails:
        user = await self._record(query)
        balances = await self._accounts.get(keys.balance(str(query.id)), Balances)
        shown = {name: value for name, value in msgspec.structs.asdict(user).items() if name != "total_volume_demo"}
        shown["account_type"] = Accounts(user.account_type)
        for account in AccountType:
            bot = self._bots.get(keys.bot_status(BotId(str(query.id), account)))
            balance = balances.value.of(account) if balances is not None else None
            shown[f"bot_running_{account}"] = bot is not None and bot.state.alive
            shown[f"bot_mode_{account}"] = bot.config.mode if bot is not None else None
            shown[f"balance_{account}"] = balance.amount if balance is not None else 0
        return msgspec.convert(shown, UserDetails)

    async def metrics(self, query: MetricsOfUser) -> UserMetrics:
        await self._record(query)
        accounts = accounts_of(query.account_type)
        figures = await self._users.figures(query.id, accounts)
        slices = await self._users.slices(query.id, accounts)
        return UserMetrics(
            user_id=query.id, total_trades=figures.decided, wins=figures.wins, losses=figures.losses,
            ties=figures.ties, win_rate=figures.win_rate, total_pnl=figures.pnl, total_volume=figures.volume,
            avg_pnl=figures.mean_pnl, best_trade=figures.best, worst_trade=figures.worst,
            max_drawdown=figures.drawdown, current_streak=figures.streak,
            by_asset=tuple(_slice(one) for one in slices if one.of == "asset"),
            by_strategy=tuple(_slice(one) for one in slices if one.of == "strategy"),
        )  # fmt: skip

    async def growth(self, query: Period) -> Rows[UserGrowth]:
        """The newest day first, without gaps."""
        first, last = days_of(query, self._clock.now().date())
        grown = {one.day: one for one in await self._users.growth(first, last)}
        days = [last - timedelta(days=number) for number in range((last - first).days + 1)]
        told = [grown.get(day) or Growth(day=day) for day in days]
        rows = tuple(
            UserGrowth(date=one.day, new_users=one.new_users, new_users_real=one.new_users_real) for one in told
        )
        return Rows(rows=rows, total=len(rows))

    async def sessions(self, query: PageOfUser) -> Rows[UserSession]:
        """The newest first."""
        await self._record(query)
        visits, total = await self._visits.of_user(query.id, query.limit, query.offset)
        return Rows(rows=tuple(map(_session, visits)), total=total)

    async def activity(self, query: PageOfUser) -> Rows[Activity]:
        """The newest first."""
        await self._record(query)
        entries, total = await self._activity.of_user(query.id, query.limit, query.offset)
        rows = tuple(
            Activity(
                id=one.id, user_id=one.user_id, actor_id=one.actor_id, action=one.action, details=one.details,
                ip=one.ip, created_at=one.created_at,
            )
            for one in entries
        )  # fmt: skip
        return Rows(rows=rows, total=total)

    async def _record(self, query: OfUserId) -> UserRecord:
        user = await self._users.user(query.id)
        if user is None:
            raise RpcError(ErrorCode.NOT_FOUND, "User not found")
        return user


def _item(user: FoundUser) -> UserListItem:
    return UserListItem(
        user_id=user.user_id,
        email=user.email,
        phone=user.phone,
        created_at=user.created_at,
        last_sign_in_at=user.last_sign_in_at,
        account_type=Accounts(user.account_type),
        total_trades=user.total_trades,
        total_pnl=user.total_pnl,
        win_rate=user.win_rate,
        is_active=user.is_active,
        is_suspended=user.is_suspended,
        bot_running=user.bot_running,
    )


def _slice(one: SliceSums) -> Slice:
    return Slice(
        name=one.key, total_trades=one.decided, wins=one.wins, losses=one.losses, ties=one.ties,
        win_rate=one.win_rate, volume=one.volume, pnl=one.pnl,
    )  # fmt: skip


def _session(visit: Visit) -> UserSession:
    seconds = (visit.last_activity - visit.created_at).total_seconds()
    return UserSession(
        session_id=visit.session_id, created_at=visit.created_at, last_activity=visit.last_activity,
        duration_minutes=round(seconds / 60, 2), trades_in_session=visit.trades, pnl_in_session=visit.pnl,
    )  # fmt: skip
