"""One user's bot: analyses, trades, tracks, and stops when it is told or must."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Self

import msgspec
import structlog
from prometheus_client import Histogram

from libs.bus import RevisionConflict
from libs.contracts.bots import ACTIVITY_OF_RESULT, Activity, BotSignal, BotState, BotStatus, DesiredBot
from libs.contracts.orders import FINAL_RECORD_LIFE, Order, OrderRecord, OrderState, RejectCode
from services.bot_runtime import labels
from services.bot_runtime.board import Board
from services.bot_runtime.choice import Choice, candle_size, choose
from services.bot_runtime.desk import Desk
from services.bot_runtime.journal import Journal
from services.bot_runtime.risk import stake_rule, stop_rules
from services.bot_runtime.run import Run, fresh_pnl, order_id, skip
from services.bot_runtime.status import says_the_same, status_of

log = structlog.get_logger()

_LOOK_AFTER = 5.0
"""Seconds without news of an order before its record is looked at, on top of the time it needs."""

_PROMPT = 0.1
"""Seconds in which an order is usually answered."""

_RECORDS_LAPSE = timedelta(seconds=FINAL_RECORD_LIFE / 2)
"""A bot that was silent for so long cannot rely on finding the records of its orders."""

_published = Histogram(
    "pregao_signal_to_order_seconds",
    "From a computed signal until the order is written down",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.015, 0.03, 0.05, 0.1, 0.25, 1.0),
)
_accepted = Histogram(
    "pregao_signal_to_accepted_seconds",
    "From a computed signal to the broker's confirmation of the order",
    buckets=(0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)


class NotOwned(Exception):
    """This process may not act for the user now."""


class Bot:
    """Made by `recover`, whether the run is new or was begun by another process.

    Everything it must not forget is in KV before it acts on it, so it may be cancelled at any point and recovered
    elsewhere. `offer`, `update`, `hear` and `wake` only leave news; `run` alone acts.
    """

    def __init__(
        self, desk: Desk, desired: DesiredBot, time_left: Callable[[], float], journal: Journal, run: Run
    ) -> None:
        self._desk = desk
        self._desired = desired
        self._time_left = time_left
        self._journal = journal
        self._run = run
        self._stake_rule = stake_rule(desired.config)
        self._stop_rules = stop_rules(desired.config)
        self._board: Board | None = None
        self._news = asyncio.Event()
        self._log = log.bind(user=desired.user, run=desired.run)

    @classmethod
    async def recover(cls, desk: Desk, desired: DesiredBot, time_left: Callable[[], float]) -> Self:
        """`time_left()`: seconds for which this process may act for the user."""
        journal = desk.journals.of(desired.user)
        try:
            run = await cls._resume(desk, desired, journal)
        except RevisionConflict:
            await journal.load()
            run = await cls._resume(desk, desired, journal)
        return cls(desk, desired, time_left, journal, run)

    @staticmethod
    async def _resume(desk: Desk, desired: DesiredBot, journal: Journal) -> Run:
        """The run, where it was."""
        now = desk.clock.now()
        silent_since = journal.last_word or now
        pnl = journal.pnl
        if pnl is None or pnl.run != desired.run:
            pnl = fresh_pnl(desired.user, desired.run, desired.config.account_type, now)
            await journal.count(pnl)
        record = await desk.orders.find(desired.user, order_id(desired.run, pnl.sequence + 1))
        if record is None and now - silent_since > _RECORDS_LAPSE:
            # An order may have been decided, settled and forgotten since: its id must not be used again.
            pnl = skip(pnl, now)
            await journal.count(pnl)
        elif record is not None and record.state is OrderState.REJECTED:
            # Whoever wrote it may not have come to tell it.
            await desk.orders.announce(record)
        return Run(pnl, record)

    @property
    def desired(self) -> DesiredBot:
        return self._desired

    @property
    def size(self) -> int:
        """Of the candles it follows, in seconds."""
        return candle_size(self._desired.config)

    def offer(self, board: Board) -> None:
        self._board = board
        self._news.set()

    def update(self, desired: DesiredBot) -> None:
        """What the user wants now. A run that was stopped, or replaced by another, never runs again."""
        if desired.run != self._desired.run:
            desired = msgspec.structs.replace(self._desired, running=False)
        if self._desired.running:
            self._desired = desired
            self._stake_rule = stake_rule(desired.config)
            self._stop_rules = stop_rules(desired.config)
        self._news.set()

    def hear(self, record: OrderRecord) -> None:
        if self._run.learn(record):
            self._news.set()

    def wake(self) -> None:
        """The user's session or balance changed, or whether this process may act for them."""
        self._news.set()

    async def run(self) -> BotStatus:
        """Until the run is over; its last status. Raises NotOwned, or BusError when the bus fails it: recover again."""
        if self._journal.status is None or self._journal.status.run != self._desired.run:
            await self._tell(Activity.ANALYZING, labels.STARTING, state=BotState.STARTING)
        while True:
            if not self._owned():
                raise NotOwned(self._desired.user)
            record = self._run.order
            if record is not None and record.state is not OrderState.UNKNOWN:
                await self._track(record)
            elif not self._desired.running:
                return await self._finish()
            elif reason := self._reason_to_stop():
                await self._stop(reason)
            elif self._desired.paused:
                await self._rest()
            else:
                await self._analyze()

    def _owned(self) -> bool:
        return self._time_left() > 0

    def _reason_to_stop(self) -> str:
        if self._run.order is not None:
            return labels.unknown(self._run.order)
        if reason := self._desk.strategies.reason_against(self._desired.config):
            return reason
        return next(filter(None, (rule.reached(self._run.pnl) for rule in self._stop_rules)), "")

    async def _stop(self, reason: str) -> None:
        self._log.info("bot_stops", reason=reason)
        desired = await self._desk.desires.stop(self._desired.user, self._desired.run, reason)
        self.update(desired or msgspec.structs.replace(self._desired, running=False, reason=reason))

    async def _finish(self) -> BotStatus:
        unknown = self._run.order is not None
        return await self._tell(
            Activity.ERROR if unknown else Activity.STOPPED,
            labels.stopped(self._desired.reason),
            state=BotState.FAILED if unknown else BotState.STOPPED,
        )

    async def _rest(self) -> None:
        await self._tell(Activity.PAUSED, labels.PAUSED)
        await self._heard(None)

    async def _analyze(self) -> None:
        self._take_board()  # what was offered while a position was open is old
        await self._tell(Activity.ANALYZING, self._obstacle() or labels.ANALYZING)
        await self._heard(None)
        board = self._take_board()
        if board is None or self._run.order is not None or self._obstacle() or not self._may_open():
            return
        choice = choose(self._desired.config, board, self._desk.actives, self._desk.clock.now())
        if choice is not None:
            await self._enter(choice)

    def _may_open(self) -> bool:
        """As far as its user is concerned."""
        return self._desired.running and not self._desired.paused

    def _take_board(self) -> Board | None:
        board, self._board = self._board, None
        return board

    def _obstacle(self) -> str:
        """What keeps it from trading now, for people."""
        if not self._desk.accounts.connected(self._desired.user):
            return labels.NO_CONNECTION
        if reason := self._desk.platform.obstacle(self._desired.user, self._desired.config.account_type):
            return reason
        return labels.NO_FUNDS if self._stake() is None else ""

    def _stake(self) -> Decimal | None:
        balance = self._desk.accounts.balance(self._desired.user, self._desired.config.account_type)
        return None if balance is None else self._stake_rule.stake(self._run.pnl, balance)

    async def _enter(self, choice: Choice) -> None:
        stake = self._stake()
        if stake is None or not self._owned():
            return
        # If this process stood still from here on, the order would be too late once another may act for the user.
        lifetime = min(self._desk.order_lifetime, self._time_left())
        order = self._run.decide(choice, stake, self._desk.clock.now(), lifetime, self._desired.config.min_payout)
        record = await self._desk.orders.create(order)
        self._run.learn(record)
        published = self._desk.clock.monotonic() - choice.computed
        if record.order != order:
            return  # decided before, by an attempt that did not come to know of it
        _published.observe(published)
        submission = asyncio.create_task(self._submit(choice, order, published), name=f"submit:{order.order_id}")
        try:
            # The order goes first: people are told when it is answered, or when it takes long.
            await asyncio.wait({submission}, timeout=_PROMPT)
            await self._tell_entry(choice, order)
            await submission
        finally:
            submission.cancel()

    async def _submit(self, choice: Choice, order: Order, published: float) -> None:
        record = await self._desk.orders.submit(order)
        if record is None:
            return
        self._run.learn(record)
        seconds = self._desk.clock.monotonic() - choice.computed
        if record.state is OrderState.OPENED:
            _accepted.observe(seconds)
        self._log.info(
            "order_answered",
            order_id=order.order_id,
            state=record.state,
            code=record.code,
            published_ms=round(published * 1000, 3),
            milliseconds=round(seconds * 1000, 3),
        )

    async def _tell_entry(self, choice: Choice, order: Order) -> None:
        signal = choice.signal
        await self._journal.follow(
            BotSignal(user=order.user, at=order.at, run=order.run, order_id=order.order_id, signal=signal)
        )
        found = labels.signal_found(signal.direction, order.ticker, signal.confidence)
        await self._tell(Activity.SIGNAL_FOUND, found, order)
        await self._tell(Activity.OPENING, labels.opening(order.ticker), order)

    async def _track(self, record: OrderRecord) -> None:
        if record.state.final:
            await self._settle(record)
            return
        if not self._desired.running:
            await self._tell(Activity.TRACKING, labels.STOPPING, record.order)
        elif self._desired.paused:
            await self._tell(Activity.TRACKING, labels.PAUSING, record.order)
        elif record.state is OrderState.OPENED:
            await self._tell(Activity.TRACKING, labels.TRACKING, record.order)
        duration = record.order.duration if record.state is OrderState.OPENED else 0
        if not await self._heard(duration + _LOOK_AFTER):
            await self._look(record)

    async def _look(self, known: OrderRecord) -> None:
        """News may have been missed: read the record, and take back what the gateway did not take in time."""
        order = known.order
        record = await self._desk.orders.find(order.user, order.order_id)
        now = self._desk.clock.now()
        if record is not None and record.state is OrderState.INTENDED and now > order.expires_at:
            record = await self._desk.orders.reject(order, RejectCode.EXPIRED, "it was not sent in time")
        if record is None:
            self._log.error("order_record_gone", order_id=order.order_id)
            record = msgspec.structs.replace(known, state=OrderState.UNKNOWN, code=RejectCode.UNDECIDED)
        self._run.learn(record)

    async def _settle(self, record: OrderRecord) -> None:
        pnl = self._run.scored(self._desk.clock.now())
        await self._journal.count(pnl)
        self._run.settle(pnl)
        if record.settlement is None:
            await self._tell(Activity.ERROR, labels.rejected(record), record.order)
        else:
            result = record.settlement.result
            await self._tell(ACTIVITY_OF_RESULT[result], labels.closed(result), record.order)

    async def _heard(self, timeout: float | None) -> bool:
        """Wait for news; False when there were none in time."""
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    async def _tell(
        self, activity: Activity, label: str, order: Order | None = None, state: BotState | None = None
    ) -> BotStatus:
        last = self._journal.status
        state = state or self._state()
        status = status_of(self._desired, last, self._desk.clock.now(), state, activity, label, order)
        if last is not None and says_the_same(last, status):
            return last
        await self._journal.tell_anyway(status, self._owned)
        return status

    def _state(self) -> BotState:
        """Of a run that goes on."""
        if not self._desired.running:
            return BotState.STOPPING
        if self._desired.paused:
            return BotState.PAUSED
        connected = self._desk.accounts.connected(self._desired.user)
        return BotState.RUNNING if connected else BotState.RECOVERING
