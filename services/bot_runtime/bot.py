"""A bot: analyses, trades, tracks, and stops when it is told or must."""

import asyncio
from collections.abc import Callable
from typing import Self

import msgspec
import structlog
from prometheus_client import Histogram

from libs.bus import RevisionConflict
from libs.contracts.bots import ACTIVITY_OF_RESULT, Activity, BotConfig, BotSignal, BotState, BotStatus, DesiredBot
from libs.contracts.orders import Order, OrderRecord, OrderState, RejectCode
from services.bot_runtime import labels, manual
from services.bot_runtime.board import Board
from services.bot_runtime.causes import Causes
from services.bot_runtime.choice import Choice, candle_size, choices
from services.bot_runtime.decision import allowed
from services.bot_runtime.deferred import Deferred
from services.bot_runtime.desk import Desk
from services.bot_runtime.journal import Journal
from services.bot_runtime.platform import UserGate
from services.bot_runtime.policy import Account, Policy, Refusal
from services.bot_runtime.recovery import resume
from services.bot_runtime.restore import adapted
from services.bot_runtime.run import Run
from services.bot_runtime.status import says_the_same, status_of
from services.bot_runtime.strategies import followed

log = structlog.get_logger()

_LOOK_AFTER = 5.0
"""Seconds without news of an order before its record is looked at, on top of the time it needs."""

_PROMPT = 0.1
"""Seconds in which an order is usually answered."""

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
        self,
        desk: Desk,
        desired: DesiredBot,
        time_left: Callable[[], float],
        journal: Journal,
        policy: Policy,
        run: Run,
        causes: Causes,
    ) -> None:
        self._desk = desk
        self._desired = desired
        self._time_left = time_left
        self._journal = journal
        self._policy = policy
        self._run = run
        self._causes = causes
        self._board: Board | None = None
        self._news = asyncio.Event()
        self._look_at: dict[int, float] = {}
        """When the record of an order is looked at without news of it, in monotonic seconds, by sequence."""
        for record in run.orders.values():
            self._expect_news(record)
        self._log = log.bind(user=desired.user, account_type=desired.config.account_type, run=desired.run)

    @classmethod
    async def recover(cls, desk: Desk, desired: DesiredBot, time_left: Callable[[], float], causes: Causes) -> Self:
        """`time_left()`: seconds for which this process may act for the user."""
        journal = desk.journals.of(desired.bot)
        policy = _policy(desk, desired.user, desired.config)
        with causes.beginning(new=journal.score is None or journal.score.run != desired.run):
            try:
                run = await resume(desk, desired, journal, policy)
            except RevisionConflict:
                await journal.load()
                run = await resume(desk, desired, journal, policy)
        return cls(desk, desired, time_left, journal, policy, run, causes)

    @property
    def desired(self) -> DesiredBot:
        return self._desired

    @property
    def size(self) -> int:
        """Of the candles it follows, in seconds."""
        return candle_size(self._desired.config)

    def offer(self, board: Board) -> bool:
        """Whether it is looked at. Not when the bot could not trade on it: of thousands few wake up for a candle."""
        config = self._desired.config
        if self._may_open() and len(self._run.orders) < config.max_open_positions and board.concerns(self._asset()):
            self._board = board
            self._news.set()
            return True
        return False

    def update(self, desired: DesiredBot) -> None:
        """What the user wants now. A run that was stopped, or replaced by another, never runs again."""
        if desired.run != self._desired.run:
            desired = msgspec.structs.replace(self._desired, running=False)
        if self._desired.running:
            if desired.config != self._desired.config:
                self._policy = _policy(self._desk, desired.user, desired.config)
            self._desired = desired
        self._news.set()

    def hear(self, record: OrderRecord) -> None:
        if self._learn(record):
            self._causes.heard(record.order.sequence)
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
            await self._look_after_orders()
            if not self._policy.fits(self._run.score):
                await self._adapt()
                continue
            if (ended := self._run.ended) is not None:
                with self._causes.counting(ended.order.sequence):
                    await self._settle(ended)
                continue
            if (decision := self._decide()) is not None:
                choice, order = decision
                with self._causes.order(order, choice.cause):
                    await self._enter(choice, order)
                continue
            refusal = self._obstacle()
            if self._desired.running and (reason := self._reason_to_stop(refusal)):
                await self._stop(reason)
                continue
            if not self._desired.running and not self._run.open:
                return await self._finish()
            await self._act(refusal)
            await self._heard(self._patience(refusal))

    async def _act(self, refusal: Refusal | None) -> None:
        if self._may_open():
            await self._tell_trading(refusal if self._connected() else Refusal(labels.NO_CONNECTION))
            return
        waiting, word = self._run.open[-1:], labels.STOPPING if not self._desired.running else labels.PAUSING
        if waiting:
            await self._tell(Activity.TRACKING, word, waiting[0].order)
        else:
            await self._tell(Activity.PAUSED, labels.PAUSED)

    def _take_board(self) -> Board | None:
        """One that nobody came to look at in time is worthless."""
        board, self._board = self._board, None
        if board is not None and self._desk.clock.monotonic() - board.computed > self._desk.order_lifetime:
            return None
        return board

    def _decide(self) -> tuple[Choice, Order] | None:
        """By what is known at this moment; nothing is awaited between it and the order. The rules are asked once: that
        they allow an entry means that nothing else keeps the bot from trading."""
        board = self._take_board()
        if board is None or not self._may_open() or not self._owned() or not self._connected():
            return None
        config = self._desired.config
        if self._run.unknown is not None or self._desk.strategies.reason_against(config):
            return None
        follows = followed(config)
        if not board.tells(self.size, follows.name, follows.parameters):
            return None  # the user has changed what it follows since it was offered
        now, account = self._desk.clock.now(), self._account()
        taken = {record.order.active_id for record in self._run.open} if config.mode == "auto" else set[int]()
        offered = (each for each in choices(config, board, self._desk.actives, now) if each.active.id not in taken)
        chosen = allowed(self._policy, self._run.score, account, offered, now)
        if chosen is None:
            return None
        choice, entry = chosen
        # If this process stood still from here on, the order would be too late once another may act for the user.
        lifetime = min(self._desk.order_lifetime, self._time_left())
        return choice, self._run.decide(choice, entry.stake, now, lifetime, config.min_payout, account.worth)

    def _may_open(self) -> bool:
        """As far as its user is concerned."""
        return self._desired.running and not self._desired.paused

    def _connected(self) -> bool:
        return self._desk.accounts.connected(self._desired.user)

    def _asset(self) -> int | None:
        """The only active it looks at; None in auto mode."""
        if self._desired.config.mode == "auto":
            return None
        active = manual.asset(self._desired.config, self._desk.actives)
        return active.id if active is not None else 0

    def _obstacle(self) -> Refusal | None:
        """What keeps it from trading at all; in manual mode, from trading its asset."""
        config, actives, now = self._desired.config, self._desk.actives, self._desk.clock.now()
        refusal = self._policy.obstacle(self._run.score, self._account(), now, manual.offer(config, actives))
        return refusal or manual.unavailable(config, actives, now)

    def _account(self) -> Account:
        which = self._desired.user, self._desired.config.account_type
        accounts, run = self._desk.accounts, self._run
        return Account(accounts.balance(*which), run.at_risk, len(run.open), accounts.min_stake(*which))

    def _owned(self) -> bool:
        return self._time_left() > 0

    def _reason_to_stop(self, refusal: Refusal | None) -> str:
        if self._run.unknown is not None:
            return labels.unknown(self._run.unknown)
        if reason := self._desk.strategies.reason_against(self._desired.config):
            return reason
        return refusal.reason if refusal is not None and refusal.final else ""

    async def _stop(self, reason: str) -> None:
        self._log.info("bot_stops", reason=reason)
        desired = await self._desk.desires.stop(self._desired.bot, self._desired.run, reason)
        self.update(desired or msgspec.structs.replace(self._desired, running=False, reason=reason))

    async def _finish(self) -> BotStatus:
        unknown = self._run.unknown is not None
        return await self._tell(
            Activity.ERROR if unknown else Activity.STOPPED,
            labels.stopped(self._desired.reason),
            state=BotState.FAILED if unknown else BotState.STOPPED,
        )

    async def _enter(self, choice: Choice, order: Order) -> None:
        self._desk.rush.goes_on()
        record = await self._desk.orders.create(order)
        self._learn(record)
        published = self._desk.clock.monotonic() - choice.computed
        if record.order != order:
            return  # decided before, by an attempt that did not come to know of it
        _published.observe(published)
        await self._desk.rush.offered()
        # The order goes first: people are told when it is answered, or when it takes long.
        telling = Deferred(_PROMPT, lambda: self._tell_entry(choice, order))
        try:
            answer = await self._desk.orders.submit(order)
            accepted = self._desk.clock.monotonic() - choice.computed
            if answer is not None:
                self._learn(answer)
            await self._desk.rush.over()
            if answer is not None:
                self._report(answer, published, accepted)
            await telling.now()
        finally:
            telling.cancel()

    def _report(self, answer: OrderRecord, published: float, accepted: float) -> None:
        if answer.state is OrderState.OPENED:
            _accepted.observe(accepted)
        self._log.info(
            "order_answered",
            order_id=answer.order.order_id,
            state=answer.state,
            code=answer.code,
            published_ms=round(published * 1000, 3),
            milliseconds=round(accepted * 1000, 3),
        )

    async def _tell_entry(self, choice: Choice, order: Order) -> None:
        signal = choice.signal
        await self._journal.follow(
            BotSignal(user=order.user, at=order.at, run=order.run, order_id=order.order_id, signal=signal)
        )
        found = labels.signal_found(signal.direction, order.ticker, signal.confidence)
        await self._tell(Activity.SIGNAL_FOUND, found, order)
        await self._tell(Activity.OPENING, labels.opening(order.ticker), order)

    async def _tell_trading(self, refusal: Refusal | None) -> None:
        if not self._run.open:
            now, label = self._desk.clock.now(), labels.ANALYZING
            if refusal is not None:
                label = labels.held(refusal.reason, refusal.until, now)
            await self._tell(Activity.ANALYZING, label, refusal=refusal)
        elif (latest := self._run.open[-1]).state is OrderState.OPENED:
            await self._tell(Activity.TRACKING, labels.TRACKING, latest.order, refusal=refusal)

    def _learn(self, record: OrderRecord) -> bool:
        news = self._run.learn(record)
        if news:
            self._expect_news(record)
        return news

    def _expect_news(self, record: OrderRecord) -> None:
        needed = record.order.duration if record.state is OrderState.OPENED else 0
        self._look_at[record.order.sequence] = self._desk.clock.monotonic() + needed + _LOOK_AFTER

    async def _look_after_orders(self) -> None:
        """News may have been missed."""
        for known in self._run.open:
            sequence = known.order.sequence
            if self._desk.clock.monotonic() >= self._look_at[sequence]:
                await self._look(known)
                self._look_at[sequence] = self._desk.clock.monotonic() + _LOOK_AFTER

    async def _look(self, known: OrderRecord) -> None:
        """Read the record, and take back what the gateway did not take in time."""
        order = known.order
        record = await self._desk.orders.find(order.user, order.order_id)
        now = self._desk.clock.now()
        if record is not None and record.state is OrderState.INTENDED and now > order.expires_at:
            record = await self._desk.orders.reject(order, RejectCode.EXPIRED, "it was not sent in time")
        if record is None:
            self._log.error("order_record_gone", order_id=order.order_id)
            record = msgspec.structs.replace(known, state=OrderState.UNKNOWN, code=RejectCode.UNDECIDED)
        self._run.learn(record)

    async def _adapt(self) -> None:
        """The configuration has changed."""
        score = await adapted(self._desk.bus, self._run.score, self._policy, self._desk.clock.now())
        await self._journal.count(score)
        self._run.score = score

    async def _settle(self, record: OrderRecord) -> None:
        score = self._run.scored(record, self._policy, self._desk.clock.now())
        await self._journal.count(score)
        self._run.settle(score, record)
        self._look_at.pop(record.order.sequence, None)
        if record.settlement is None:
            await self._tell(Activity.ERROR, labels.rejected(record), record.order)
        else:
            result = record.settlement.result
            await self._tell(ACTIVITY_OF_RESULT[result], labels.closed(result), record.order)

    def _patience(self, refusal: Refusal | None) -> float | None:
        """Seconds until something is to be done though nobody has told anything."""
        monotonic, now = self._desk.clock.monotonic(), self._desk.clock.now()
        waits = [self._look_at[record.order.sequence] - monotonic for record in self._run.open]
        times = [
            refusal.until if refusal is not None else None,
            manual.turn(self._desired.config, self._desk.actives, now),
        ]
        waits += [(time - now).total_seconds() for time in times if time is not None]
        return max(0.0, min(waits)) if waits else None

    async def _heard(self, timeout: float | None) -> None:
        """Wait for news."""
        timer = asyncio.get_running_loop().call_later(timeout, self._news.set) if timeout is not None else None
        try:
            await self._news.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._news.clear()

    async def _tell(
        self,
        activity: Activity,
        label: str,
        order: Order | None = None,
        state: BotState | None = None,
        refusal: Refusal | None = None,
    ) -> BotStatus:
        last = self._journal.status
        state = state or self._state()
        status = status_of(self._desired, last, self._desk.clock.now(), state, activity, label, order, refusal)
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
        return BotState.RUNNING if self._connected() else BotState.RECOVERING


def _policy(desk: Desk, user: str, config: BotConfig) -> Policy:
    return Policy(config, UserGate(desk.platform, user, config))
