"""Where the parts of analytics meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.bus import Bus
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
    SUSPECTS,
    TRADES,
    VISITS,
)
from libs.service import Service
from libs.store import Database
from libs.store.scanner import Window
from services.analytics import ledger, logs
from services.analytics.auditor import Auditor
from services.analytics.barring import Barring
from services.analytics.days_worked_out import DaysWorkedOut
from services.analytics.desks import Desks
from services.analytics.live import Live
from services.analytics.logs import LogBook
from services.analytics.probes import Probes
from services.analytics.recording import recording
from services.analytics.scanner import Statistics
from services.analytics.settings import Settings
from services.analytics.sinks.sending import sending
from services.analytics.statuses import Statuses
from services.analytics.stores import Stores
from services.analytics.verdicts import Verdicts
from services.analytics.watch.heartbeat import Heartbeat
from services.analytics.watch.rules import Drawdown, FeedLag, LossStreak, LostSessions, Rejections
from services.analytics.watch.watch import Watch


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus = service.bus
    await bus.ensure(TRADES, LEDGER, ALERTS, OPERATORS, SIGNALS, DEAD_LETTERS, EXPORTS)
    await bus.ensure(VISITS, ALARMS, EXPORT_JOBS, ACCOUNTS, BOTS, DESIRED, LEASES, PLATFORM, SUSPECTS)
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with sending(settings, bus) as sinks, await Database.connect(settings.supabase_url, secret_key) as database:
        service.health.add("database", database.reachable)
        stores = Stores.over(database)
        users, log_book = Statuses(bus, stores.bot_statuses), LogBook(bus, stores.logs)
        async with recording(bus, stores, users, log_book):
            live = await Live.follow(bus)
            probes = Probes(bus, database, stores.platform, live.bots, ledger.CONSUMER)
            statistics = _statistics(settings, bus, stores)
            desks = Desks(bus, database, stores, live, probes, log_book)
            served = await bus.serve("analytics", await desks.answers(users, statistics))

            watch = _watch(settings, bus, database, live)
            await watch.follow()
            heartbeat = Heartbeat(bus, sinks, settings.alert_patience)
            service.health.add("nats stores", heartbeat.storing)
            auditor = Auditor(bus, stores.trades, live.sessions, settings.audit_interval)
            service.background(heartbeat.run(), "heartbeat")
            service.background(watch.run(), "watch")
            service.background(auditor.run(), "audit")
            service.background(probes.watch(), "probes")
            service.background(statistics.run(), "scanner statistics")
            service.background(DaysWorkedOut(bus, stores.trade_figures).run(), "days worked out")
            service.background(desks.export_jobs.run(), "export jobs")
            service.background(Barring(bus, stores.people, live.bots, live.sessions).run(), "barring")
            service.background(logs.forget_in_time(stores.logs, bus.clock, settings.log_days), "log")
            yield
            await served.stop()


def _statistics(settings: Settings, bus: Bus, stores: Stores) -> Statistics:
    window = Window(settings.scanner_window, settings.scanner_window_candles)
    return Statistics(bus, stores.signals, Verdicts(bus, stores.signals), window, settings.scanner_interval)


def _watch(settings: Settings, bus: Bus, database: Database, live: Live) -> Watch:
    return Watch(
        bus,
        database,
        live.bots,
        live.sessions,
        drawdown=Drawdown(settings.alert_drawdown, settings.alert_platform_drawdown),
        streak=LossStreak(settings.alert_loss_streak),
        lost_sessions=LostSessions(settings.alert_session_patience),
        rejections=Rejections(settings.alert_rejections),
        feed_lag=FeedLag(settings.alert_feed_lag, settings.alert_patience),
        services=settings.alert_services,
        patience=settings.alert_patience,
    )
