"""What the parts of analytics keep in the database."""

from dataclasses import dataclass
from typing import Self

from libs.store import Database
from libs.store.activity import ActivityLog
from libs.store.alerts import Alerts
from libs.store.auth import Auth
from libs.store.bot_status import BotStatuses
from libs.store.figures import PlatformFigures
from libs.store.logs import Logs
from libs.store.people import People
from libs.store.scanner import Signals
from libs.store.trade_figures import TradeFigures
from libs.store.trade_lists import TradeLists
from libs.store.trade_stories import TradeStories
from libs.store.trade_sums import TradeSums
from libs.store.trades import Trades
from libs.store.user_actions import UserActions
from libs.store.users import Users
from libs.store.visits import Visits


@dataclass(frozen=True, slots=True)
class Stores:
    activity: ActivityLog
    alerts: Alerts
    auth: Auth
    bot_statuses: BotStatuses
    logs: Logs
    people: People
    platform: PlatformFigures
    signals: Signals
    trade_figures: TradeFigures
    trade_lists: TradeLists
    trade_stories: TradeStories
    trade_sums: TradeSums
    trades: Trades
    user_actions: UserActions
    users: Users
    visits: Visits

    @classmethod
    def over(cls, database: Database) -> Self:
        return cls(
            activity=ActivityLog(database),
            alerts=Alerts(database),
            auth=Auth(database),
            bot_statuses=BotStatuses(database),
            logs=Logs(database),
            people=People(database),
            platform=PlatformFigures(database),
            signals=Signals(database),
            trade_figures=TradeFigures(database),
            trade_lists=TradeLists(database),
            trade_stories=TradeStories(database),
            trade_sums=TradeSums(database),
            trades=Trades(database),
            user_actions=UserActions(database),
            users=Users(database),
            visits=Visits(database),
        )
