"""Compares the ledger with the broker's books, user by user, puts right what can be, and tells of all of it."""

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter, Histogram

from libs.bus import Bus, BusError, Mirror
from libs.contracts import subjects
from libs.contracts.account import SessionState, SessionStatus
from libs.contracts.alerts import Alert, Severity
from libs.contracts.ids import derived_id, new_id
from libs.contracts.orders import TradeClosed, TradeOpened
from libs.contracts.rpc import BOOKS, BookedTrade, BooksQuery, RpcError
from libs.store import StoreError, StoreRefused
from libs.store.trades import Trades
from services.analytics import ledger
from services.analytics.audit import Fault, Finding, compare
from services.analytics.turns import take_turns

log = structlog.get_logger()

_DEPTH = timedelta(hours=23)
"""Finished orders are known for a day."""
_MARGIN = timedelta(minutes=1)
"""More than passes between a decision and what the broker makes of it."""
_ON_ITS_WAY = timedelta(seconds=15)
"""What was told so lately may not be in the ledger yet."""
_AT_ONCE = 8
_REPAIRED = "put right"
_NAMED = 10
"""Findings whose words are in an alert; the others are counted."""

_findings = Counter("pregao_ledger_findings_total", "Differences between the ledger and the broker's books", ["fault"])
_seconds = Histogram(
    "pregao_ledger_audit_seconds", "Time to audit everybody", buckets=(0.1, 0.5, 1, 5, 15, 30, 60, 120, 300)
)
_unread = Counter("pregao_ledger_unaudited_total", "Users whose books could not be read, by turn")


class Auditor:
    def __init__(self, bus: Bus, trades: Trades, sessions: Mirror[SessionStatus], interval: float) -> None:
        """`sessions`: everybody's; only who has one can be asked about. `interval`: seconds between two turns."""
        self._bus = bus
        self._trades = trades
        self._sessions = sessions
        self._interval = interval
        self._known: set[tuple[Fault, str]] = set()
        """Faults of orders that the turn before could not put right: they are told once."""
        self._standing: set[tuple[Fault, str]] = set()
        """Likewise, of this turn."""

    async def run(self) -> None:
        """Until cancelled; of all processes one audits."""
        await take_turns(self._bus, "audit", self._turn, self._interval)

    async def _turn(self) -> None:
        try:
            if await self._bus.backlog(ledger.CONSUMER):
                log.info("audit_postponed", reason="the ledger has not caught up")
                return
        except BusError as error:
            log.warning("audit_postponed", reason=str(error))
            return
        users = [entry.value.user for _, entry in self._sessions.items() if entry.value.state is SessionState.CONNECTED]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def audit(user: str) -> None:
            async with limit:
                try:
                    await self._audit(user)
                except (RpcError, StoreError, BusError) as error:
                    _unread.inc()
                    log.warning("user_not_audited", user=user, error=str(error))

        self._standing = set()
        with _seconds.time():
            await asyncio.gather(*map(audit, users))
        self._known = self._standing

    async def _audit(self, user: str) -> None:
        now = self._bus.clock.now()
        trades = await self._books(user, now - _DEPTH)
        since = now - _DEPTH + _MARGIN
        kept = await self._trades.kept(user, trades, since)
        found = defaultdict(list)
        for finding in compare(user, trades.values(), kept, since, now - _ON_ITS_WAY):
            _findings.labels(finding.fault).inc()
            found[finding.fault].append(finding)
        for findings in found.values():
            await self._see_to(user, findings)

    async def _books(self, user: str, since: datetime) -> dict[str, BookedTrade]:
        """By order id."""
        trades: dict[str, BookedTrade] = {}
        query = BooksQuery(since=since)
        while True:
            page = (await self._bus.call(BOOKS, query, subject=subjects.session_rpc(user, BOOKS.name))).trades
            news = {trade.order.order_id: trade for trade in page if trade.order.order_id not in trades}
            trades |= news
            if len(page) < query.limit or not news:
                return trades
            query = BooksQuery(since=page[-1].order.at)

    async def _see_to(self, user: str, findings: list[Finding]) -> None:
        """Findings of one kind."""
        outcome = await self._repair([finding.right for finding in findings if finding.right is not None])
        if outcome != _REPAIRED:
            self._standing |= {(finding.fault, finding.order_id) for finding in findings}
            findings = [finding for finding in findings if (finding.fault, finding.order_id) not in self._known]
        if findings:
            await self._tell(user, findings, outcome)

    async def _repair(self, right: list[TradeOpened | TradeClosed]) -> str:
        """What came of it, for people."""
        if not right:
            return "a human must look"
        try:
            await self._trades.repair(right)
        except StoreRefused as error:
            return f"could not be put right: {error}"
        return _REPAIRED

    async def _tell(self, user: str, findings: list[Finding], outcome: str) -> None:
        fault, orders = findings[0].fault, sorted(finding.order_id for finding in findings)
        log.error(fault, user=user, orders=orders[:_NAMED], count=len(orders), outcome=outcome)
        words = "; ".join(finding.what for finding in findings[:_NAMED])
        alert = Alert(
            id=new_id() if outcome == _REPAIRED else derived_id("ledger", fault, user, *orders),
            at=self._bus.clock.now(),
            severity=Severity.CRITICAL,
            service="analytics",
            kind=fault,
            message=f"{fault.replace('_', ' ')} ({len(orders)}): {words}: {outcome}",
            user=user,
            details={"count": str(len(orders)), "outcome": outcome},
        )
        await self._bus.append(subjects.alert(alert.severity), alert, id=alert.id)
