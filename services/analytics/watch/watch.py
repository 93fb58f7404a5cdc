"""Looks after the platform and raises alarms; of all processes one does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

import structlog

from libs.bus import Bus, BusError, BusUnavailable, Mirror
from libs.bus.topology import ACCOUNTS, BUCKETS, DEAD_LETTERS, STREAMS, Bucket, Stream
from libs.contracts import keys, subjects
from libs.contracts.account import AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import BotStatus
from libs.contracts.market import Candle
from libs.contracts.orders import OrderState, TradeFailed, TradeOpened, TradeRecorded
from libs.store import Database, StoreError
from libs.store.risk import Risk, UserRisk
from services.analytics.watch import rules
from services.analytics.watch.board import Board
from services.analytics.watch.rules import Drawdown, FeedLag, LossStreak, LostSessions, Observation, Rejections

_PERIOD = 2.0
_TIMEOUT = 3.0
_USERS = 200
"""How many are looked at in one turn."""

log = structlog.get_logger()

Look = Callable[[], Awaitable[Iterable[Observation]]]


class Watch:
    def __init__(
        self,
        bus: Bus,
        database: Database,
        bots: Mirror[BotStatus],
        sessions: Mirror[SessionStatus],
        *,
        drawdown: Drawdown,
        streak: LossStreak,
        lost_sessions: LostSessions,
        rejections: Rejections,
        feed_lag: FeedLag,
        services: Iterable[str],
        patience: float,
    ) -> None:
        """`services`: those that must be there, by their short names. `patience`: seconds without one, or
        without the database."""
        self._bus = bus
        self._database = database
        self._risk = Risk(database)
        self._bots = bots
        self._sessions = sessions
        self._drawdown = drawdown
        self._streak = streak
        self._lost_sessions = lost_sessions
        self._rejections = rejections
        self._feed_lag = feed_lag
        self._services = tuple(services)
        self._patience = patience
        self._balances: Mirror[Balances] | None = None
        self._board = Board(bus)
        self._day = date.min
        self._peaks: dict[str, Decimal] = {}
        """By currency."""
        self._risks: dict[str, UserRisk] = {}
        self._traded: set[str] = set()
        """Who has closed a trade since it was last looked at."""
        self._looks: dict[tuple[str, ...], Look] = {
            ("drawdown_user", "drawdown_platform", "loss_streak"): self._risky,
            ("session_lost",): self._lost,
            ("orders_rejected_user", "orders_rejected"): self._rejected,
            ("feed_lag",): self._late,
            ("service_missing",): self._missing,
            ("database_away",): self._away,
            ("stream_nearly_full",): self._filling,
            ("dead_letters",): self._dead,
        }

    async def follow(self) -> None:
        """Hear what is measured; until the bus is closed."""
        self._balances = await self._bus.mirror(ACCOUNTS, keys.balance("*"), Balances)
        await self._bus.subscribe(subjects.ledger("*", OrderState.CLOSED), TradeRecorded, self._hear_closed)
        await self._bus.subscribe(subjects.trade("*", OrderState.OPENED), TradeOpened, self._hear_opened)
        await self._bus.subscribe(subjects.trade("*", OrderState.REJECTED), TradeFailed, self._hear_rejected)
        await self._bus.subscribe(subjects.ALL_CLOSED_CANDLES, Candle, self._hear_candle)

    async def run(self) -> None:
        """Until cancelled."""
        lease = self._bus.lease("analytics.watch")
        known = False
        try:
            while True:
                try:
                    if not lease.held:
                        known = False
                    if lease.held or await lease.acquire():
                        if not known:
                            await self._begin()
                            known = True
                        await self._turn()
                except BusError as error:
                    log.error("alarms_not_looked_after", error=str(error))
                await asyncio.sleep(_PERIOD)
        finally:
            await lease.release()

    async def _begin(self) -> None:
        await self._board.read()
        self._day = date.min

    async def _turn(self) -> None:
        """One that cannot be looked at now stays as it was."""
        for kinds, look in self._looks.items():
            try:
                observations = list(await look())
            except (StoreError, BusError) as error:
                log.warning("not_looked_at", kinds=kinds, error=str(error))
            else:
                await self._board.see(observations, kinds)

    async def _risky(self) -> Iterable[Observation]:
        today = self._bus.clock.now().date()
        balances = self._real_balances()
        if today != self._day:
            traded, self._traded = self._traded, set()
            known = {risk.user_id: risk for risk in await self._risk.of_day(today)}
            by_currency = _by_currency(known, balances)
            peaks = {currency: await self._risk.peak(today, users) for currency, users in by_currency.items()}
            self._risks, self._peaks, self._day = known, peaks, today
            self._traded |= traded
        await self._look_again(today)
        risks = list(self._risks.values())
        return [
            *self._drawdown.users(risks, {user: balance.amount for user, balance in balances.items()}),
            *self._platform(balances),
            *self._streak.users(risks),
        ]

    def _platform(self, balances: Mapping[str, Balance]) -> Iterator[Observation]:
        for currency, users in _by_currency(self._risks, balances).items():
            pnl = sum((self._risks[user].pnl for user in users), Decimal(0))
            self._peaks[currency] = peak = max(self._peaks.get(currency, Decimal(0)), pnl)
            worth = sum((balances[user].amount for user in users), Decimal(0))
            yield from self._drawdown.platform(pnl, peak, worth, currency)

    async def _look_again(self, today: date) -> None:
        some = [user for _, user in zip(range(_USERS), self._traded, strict=False)]
        if some:
            self._traded.difference_update(some)
            try:
                self._risks |= {risk.user_id: risk for risk in await self._risk.of_day(today, some)}
            except StoreError:
                self._traded |= set(some)
                raise

    def _real_balances(self) -> dict[str, Balance]:
        found = {} if self._balances is None else {entry.value.user: entry.value for _, entry in self._balances.items()}
        real = {user: balances.of(AccountType.REAL) for user, balances in found.items()}
        return {user: balance for user, balance in real.items() if balance is not None}

    async def _lost(self) -> Iterable[Observation]:
        running = {entry.value.user for _, entry in self._bots.items() if entry.value.state.alive}
        states = ((entry.value.user, entry.value.state) for _, entry in self._sessions.items())
        connected = frozenset(user for user, state in states if state is SessionState.CONNECTED)
        return self._lost_sessions.users(running, connected)

    async def _rejected(self) -> Iterable[Observation]:
        return self._rejections.observe(self._bus.clock.monotonic())

    async def _late(self) -> Iterable[Observation]:
        return self._feed_lag.observe()

    async def _missing(self) -> Iterable[Observation]:
        answers = await asyncio.gather(*(self._answers(service) for service in self._services))
        return rules.missing(dict(zip(self._services, answers, strict=True)), self._patience)

    async def _answers(self, service: str) -> bool:
        try:
            return await self._bus.ping(service, _TIMEOUT)
        except BusUnavailable:
            return False

    async def _away(self) -> Iterable[Observation]:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return rules.database_away(await self._database.reachable(), self._patience)
        except TimeoutError:
            return rules.database_away(answers=False, patience=self._patience)

    async def _filling(self) -> Iterable[Observation]:
        bounded: list[Stream | Bucket] = [*(stream for stream in STREAMS if stream.keep_new), *BUCKETS]
        used = await asyncio.gather(*(self._bus.used(each) for each in bounded))
        return rules.filling({each.name: part for each, part in zip(bounded, used, strict=True)})

    async def _dead(self) -> Iterable[Observation]:
        counts = await self._bus.counts(DEAD_LETTERS, subjects.ALL_DEAD_LETTERS)
        return rules.dead_letters({subject.partition(".")[2]: count for subject, count in counts.items()})

    async def _hear_closed(self, _: str, recorded: TradeRecorded) -> None:
        if recorded.closed is not None and recorded.closed.order.account_type is AccountType.REAL:
            self._traded.add(recorded.closed.order.user)

    async def _hear_opened(self, _: str, opened: TradeOpened) -> None:
        self._rejections.hear(opened.order.user, rejected=False, now=self._bus.clock.monotonic())

    async def _hear_rejected(self, _: str, failed: TradeFailed) -> None:
        self._rejections.hear(failed.order.user, rejected=True, now=self._bus.clock.monotonic())

    async def _hear_candle(self, _: str, candle: Candle) -> None:
        self._feed_lag.hear(self._bus.clock.now().timestamp() - candle.end)


def _by_currency(users: Iterable[str], balances: Mapping[str, Balance]) -> dict[str, list[str]]:
    """Those whose balance is known."""
    found: dict[str, list[str]] = {}
    for user in users:
        if user in balances:
            found.setdefault(balances[user].currency, []).append(user)
    return found
