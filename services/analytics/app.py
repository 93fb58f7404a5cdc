"""Where the parts of analytics meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.bus.rpc import Handler
from libs.bus.topology import (
    ACCOUNTS,
    ALARMS,
    ALERTS,
    BOTS,
    DEAD_LETTERS,
    DESIRED,
    EXPORT_JOBS,
    EXPORTS,
    LEASES,
    LEDGER,
    OPERATORS,
    PLATFORM,
    SIGNALS,
    TRADES,
    VISITS,
)
from libs.contracts import keys, subjects
from libs.contracts.account import SessionStatus
from libs.contracts.bots import BotStatus
from libs.contracts.rpc import COUNT_SCANNER, RECORD_STATUS, Endpoint
from libs.service import Service
from libs.store import Database
from libs.store.activity import ActivityLog
from libs.store.alerts import Alerts
from libs.store.auth import Auth
from libs.store.bot_status import BotStatuses
from libs.store.figures import PlatformFigures
from libs.store.logs import Logs
from libs.store.people import People
from libs.store.scanner import Signals, Window
from libs.store.trade_figures import TradeFigures
from libs.store.trade_lists import TradeLists
from libs.store.trade_stories import TradeStories
from libs.store.trade_sums import TradeSums
from libs.store.trades import Trades
from libs.store.user_actions import UserActions
from libs.store.users import Users
from libs.store.visits import Visits
from services.analytics import activity, alerts, ledger, logs, signals, statuses, visits
from services.analytics.activity import ActivityBook
from services.analytics.alerts import AlertBook
from services.analytics.answer_cache import AnswerCache
from services.analytics.auditor import Auditor
from services.analytics.barring import Barring
from services.analytics.export_jobs import ExportJobs
from services.analytics.export_rows import ExportRows
from services.analytics.exports import Exports
from services.analytics.ledger import Ledger
from services.analytics.logs import LogBook
from services.analytics.operations_desk import OperationsDesk
from services.analytics.overview import Overview
from services.analytics.performance import Performance
from services.analytics.pool import PoolReport
from services.analytics.probes import Probes
from services.analytics.report_maker import ReportMaker
from services.analytics.reports import Reports
from services.analytics.scanner import Statistics
from services.analytics.settings import Settings
from services.analytics.signals import SignalBook
from services.analytics.sinks.sending import sending
from services.analytics.statuses import Statuses
from services.analytics.trade_desk import TradeDesk
from services.analytics.trade_stories import Stories
from services.analytics.typesetting import Typesetter
from services.analytics.user_desk import UserDesk
from services.analytics.user_office import UserOffice
from services.analytics.verdicts import Verdicts
from services.analytics.visits import VisitBook
from services.analytics.watch.rules import Drawdown, FeedLag, LossStreak, LostSessions, Rejections
from services.analytics.watch.watch import Watch


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus = service.bus
    await bus.ensure(TRADES, LEDGER, ALERTS, OPERATORS, SIGNALS, DEAD_LETTERS, EXPORTS)
    await bus.ensure(VISITS, ALARMS, EXPORT_JOBS, ACCOUNTS, BOTS, DESIRED, LEASES, PLATFORM)
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with (
        sending(settings, bus),
        await Database.connect(settings.supabase_url, secret_key) as database,
    ):
        service.health.add("database", database.reachable)
        trades = Ledger(bus, Trades(database))
        users = Statuses(bus, BotStatuses(database))
        scanned = Signals(database)
        window = Window(settings.scanner_window, settings.scanner_window_candles)
        statistics = Statistics(bus, scanned, Verdicts(bus, scanned), window, settings.scanner_interval)

        running = [await bus.consume(ledger.CONSUMER, trades.record)]
        running += [await bus.consume(signals.CONSUMER, SignalBook(bus, scanned).record)]
        running += [await bus.consume(consumer, users.follow) for consumer in statuses.CONSUMERS]
        told, entries = Alerts(database), Logs(database)
        log_book = LogBook(bus, entries)
        running += [
            await bus.consume(alerts.CONSUMER, AlertBook(bus, told, log_book).record),
            await bus.consume(logs.FAILED_ORDERS, log_book.failed_orders),
            await bus.consume(logs.ADMINISTRATION, log_book.administration),
            await bus.consume(logs.SET_ASIDE, log_book.set_aside),
        ]
        visited, activity_log = Visits(database), ActivityLog(database)
        running += [
            await bus.consume(visits.CONSUMER, VisitBook(visited).record),
            await bus.consume(activity.CONSUMER, ActivityBook(activity_log).record),
        ]
        people, figures = People(database), PlatformFigures(database)
        bots = await bus.mirror(BOTS, keys.bot_status(keys.EVERY_BOT), BotStatus)
        sessions = await bus.mirror(ACCOUNTS, keys.session("*"), SessionStatus)
        probes = Probes(bus, database, figures, bots, ledger.CONSUMER)
        sums, lists = TradeSums(database), TradeLists(database)
        reports = Reports(sums, bus.clock)
        rows = ExportRows(reports, sums, lists, bus.clock)
        exports = Exports(rows, activity_log)
        performance = Performance(TradeFigures(database), people, bus.clock)
        export_jobs = ExportJobs(bus, exports, ReportMaker(performance, rows, bus.clock), Typesetter())
        kept = AnswerCache(bus.clock)
        await bus.tail(LEDGER, subjects.ALL_LEDGER, lambda stored: kept.touch(stored.subject.split(".")[1]))
        desk, overview = TradeDesk(lists, people), Overview(bus, figures, bots, sessions, probes)
        desks = (
            desk,
            Stories(bus, TradeStories(database), desk),
            UserDesk(bus, Users(database), visited, activity_log, bots),
            OperationsDesk(told, entries),
            exports,
            export_jobs,
            UserOffice(bus, UserActions(database), Auth(database)),
            overview,
            probes,
            PoolReport(database, probes, bus.clock),
        )
        answers: dict[Endpoint[Any, Any], Handler[Any, Any]] = {
            RECORD_STATUS: users.record,
            COUNT_SCANNER: statistics.answer,
            **kept.around({**reports.handlers(), **performance.handlers(), **overview.costly()}),
        }
        for each in desks:
            answers |= each.handlers()
        served = await bus.serve("analytics", answers)
        service.background(statistics.run(), "scanner statistics")
        service.background(export_jobs.run(), "export jobs")
        service.background(Barring(bus, people, bots, sessions).run(), "barring")
        service.background(probes.watch(), "probes")
        service.background(Auditor(bus, Trades(database), sessions, settings.audit_interval).run(), "audit")
        service.background(logs.forget_in_time(entries, bus.clock, settings.log_days), "log")
        watch = Watch(
            bus,
            database,
            bots,
            sessions,
            drawdown=Drawdown(settings.alert_drawdown, settings.alert_platform_drawdown),
            streak=LossStreak(settings.alert_loss_streak),
            lost_sessions=LostSessions(settings.alert_session_patience),
            rejections=Rejections(settings.alert_rejections),
            feed_lag=FeedLag(settings.alert_feed_lag),
            services=settings.alert_services,
        )
        await watch.follow()
        service.health.add("nats stores", watch.storing)
        service.background(watch.run(), "watch")
        yield
        await served.stop()
        await asyncio.gather(*(consumption.stop() for consumption in running))
