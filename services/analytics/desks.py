"""What analytics answers, and who of it."""

from typing import Any

from libs.bus import Bus
from libs.bus.rpc import Handler
from libs.bus.topology import LEDGER
from libs.contracts import subjects
from libs.contracts.rpc import COUNT_SCANNER, RECORD_STATUS, Endpoint
from libs.store import Database
from services.analytics.answer_cache import AnswerCache
from services.analytics.export_jobs import ExportJobs
from services.analytics.export_rows import ExportRows
from services.analytics.exports import Exports
from services.analytics.live import Live
from services.analytics.logs import LogBook
from services.analytics.operations_desk import OperationsDesk
from services.analytics.overview import Overview
from services.analytics.performance import Performance
from services.analytics.pool import PoolReport
from services.analytics.probes import Probes
from services.analytics.report_maker import ReportMaker
from services.analytics.reports import Reports
from services.analytics.scanner import Statistics
from services.analytics.statuses import Statuses
from services.analytics.stores import Stores
from services.analytics.trade_desk import TradeDesk
from services.analytics.trade_stories import Stories
from services.analytics.typesetting import Typesetter
from services.analytics.user_desk import UserDesk
from services.analytics.user_office import UserOffice

Answers = dict[Endpoint[Any, Any], Handler[Any, Any]]


class Desks:
    def __init__(
        self, bus: Bus, database: Database, stores: Stores, live: Live, probes: Probes, log_book: LogBook
    ) -> None:
        self._bus = bus
        reports = Reports(stores.trade_sums, bus.clock)
        rows = ExportRows(reports, stores.trade_sums, stores.trade_lists, bus.clock)
        exports = Exports(rows, stores.activity)
        performance = Performance(stores.trade_figures, stores.people, bus.clock)
        overview = Overview(bus, stores.platform, live.bots, live.sessions, probes)
        trades = TradeDesk(stores.trade_lists, stores.people)
        self.export_jobs = ExportJobs(bus, exports, ReportMaker(performance, rows, bus.clock), Typesetter())
        self._cached: Answers = reports.handlers() | performance.handlers() | overview.costly()
        self._others = (
            trades,
            Stories(bus, stores.trade_stories, stores.trade_lists),
            UserDesk(bus, stores.users, stores.visits, stores.activity, live.bots),
            OperationsDesk(stores.alerts, stores.logs, log_book),
            exports,
            self.export_jobs,
            UserOffice(bus, stores.user_actions, stores.auth, log_book),
            overview,
            probes,
            PoolReport(database, probes, bus.clock),
        )

    async def answers(self, users: Statuses, statistics: Statistics) -> Answers:
        """Until the bus is closed those that are kept are made anew once a trade of theirs is recorded."""
        kept = AnswerCache(self._bus.clock)
        await self._bus.tail(LEDGER, subjects.ALL_LEDGER, lambda stored: kept.touch(stored.subject.split(".")[1]))
        answers: Answers = {RECORD_STATUS: users.record, COUNT_SCANNER: statistics.answer, **kept.around(self._cached)}
        for each in self._others:
            answers |= each.handlers()
        return answers
