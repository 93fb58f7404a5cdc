"""The bots this process runs: those of the users in the partitions it holds."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType

import structlog
from prometheus_client import Counter, Gauge

from libs.bus import Bus, BusError, Entry, Lease, tracing
from libs.bus.topology import DESIRED
from libs.contracts import keys
from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig, DesiredBot
from libs.contracts.ids import BotId, derived_id
from libs.contracts.orders import OrderRecord
from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals
from services.bot_runtime.alarms import alarm
from services.bot_runtime.board import Board, Moment
from services.bot_runtime.bot import Bot, NotOwned
from services.bot_runtime.causes import Causes
from services.bot_runtime.desk import Desk
from services.bot_runtime.partitions import partition_of
from services.bot_runtime.strategies import Followed, followed

log = structlog.get_logger()

_PAUSE = 2.0
"""Seconds before a bot that failed is recovered."""

_TURNS = 3
"""Of the event loop, as many as an answer needs from the socket to its bot: the orders of one strategy are written down
while the next ones are evaluated."""

_AT_ONCE = 16
"""Bots that decide in one turn: the orders of the first are on their way while the others decide."""

_LATE = 5.0
"""Seconds after which a close is no longer traded on: its signals are for the candle that began there."""

_running = Gauge("pregao_bots", "Bots this process runs")
_late = Counter("pregao_bot_rounds_late_total", "Closes of candles that came too late to be traded on", ["size"])


class Fleet:
    """Reconciles: a bot of a held partition whose run is not over runs, and no other does."""

    def __init__(self, desk: Desk) -> None:
        self.changed = asyncio.Event()
        """Set when other bots run, or want other candles, than before."""
        self._desk = desk
        self._desired: dict[BotId, DesiredBot] = {}
        self._wishes: dict[BotId, str] = {}
        """What had it written down, where that is traced."""
        self._wanted: set[BotId] = set()
        """Bots that are to run."""
        self._finished: dict[BotId, str] = {}
        """Run that ended here, by bot: known before the mirror of statuses tells."""
        self._partitions: dict[int, Lease] = {}
        self._keepers: dict[BotId, asyncio.Task[None]] = {}
        self._bots: dict[BotId, Bot] = {}
        self._followers: dict[int, dict[Followed, list[Bot]]] | None = None
        """By candle size and what they follow; None when it is to be worked out anew."""

    async def follow(self, bus: Bus) -> None:
        await bus.mirror(DESIRED, keys.desired_bot(keys.EVERY_BOT), DesiredBot, self._desired_changed)

    def take(self, partition: int, lease: Lease) -> None:
        """Run its users' bots from now on; they act only while the lease is held."""
        self._partitions[partition] = lease
        for bot in [bot for bot in self._desired if partition_of(bot.user) == partition]:
            self._ensure(bot)

    def drop(self, partition: int) -> None:
        """Stop acting for its users, at once; the bots go on wherever it is taken next."""
        self._partitions.pop(partition, None)
        for bot, keeper in self._keepers.items():
            if partition_of(bot.user) == partition:
                keeper.cancel()
                # Should a library swallow the cancellation, the bot finds out by itself.
                self.wake(bot.user)

    async def close(self) -> None:
        keepers = list(self._keepers.values())
        for partition in list(self._partitions):
            self.drop(partition)
        await asyncio.gather(*keepers, return_exceptions=True)

    def wanted(self) -> int:
        """Bots of all users, here and elsewhere, that are to run."""
        return len(self._wanted)

    def configs(self) -> Iterable[BotConfig]:
        """Of the bots that look for signals."""
        return [bot.desired.config for bot in self._bots.values() if bot.desired.running]

    async def evaluate(self, panel: Panel, end: int, causes: Mapping[int, str] = MappingProxyType({})) -> None:
        """A round of candles is complete: each strategy is evaluated once, whatever the number of its followers. They
        have their turn before the next one has: no order waits for what others say.

        Candles that were made up for after an outage come late, and nobody trades on them any more.
        """
        if self._too_late(panel.size, end):
            return
        with tracing.follow("evaluate", causes.values(), size=str(panel.size)):
            for one, bots in self._by_strategy(panel.size).items():
                await self._desk.strategies.evaluate(one, panel, partial(self._said, Moment(panel, end, causes), bots))
                for _ in range(_TURNS):
                    await asyncio.sleep(0)

    async def _said(self, moment: Moment, bots: Iterable[Bot], one: Followed, signals: Signals) -> None:
        if self._too_late(moment.size, moment.end):  # a strategy of users may take its time
            return
        clock = self._desk.clock
        board = Board(moment, one.name, one.parameters, signals, clock.now(), clock.monotonic())
        deciding = 0
        with self._desk.rush.offering():
            for bot in bots:
                if bot.offer(board):
                    deciding += 1
                    if deciding % _AT_ONCE == 0:
                        await asyncio.sleep(0)
            await asyncio.sleep(0)  # the last ones decide

    def _too_late(self, size: int, end: int) -> bool:
        late = self._desk.clock.now().timestamp() - end
        if late > _LATE:
            _late.labels(size).inc()
            log.warning("round_late", size=size, end=end, seconds=round(late, 3))
        return late > _LATE

    def _by_strategy(self, size: int) -> dict[Followed, list[Bot]]:
        """The bots that follow candles of that size."""
        if self._followers is None:
            self._followers = {}
            for bot in self._bots.values():
                config = bot.desired.config
                if bot.desired.running and not self._desk.strategies.reason_against(config):
                    self._followers.setdefault(bot.size, {}).setdefault(followed(config), []).append(bot)
        return self._followers.get(size, {})

    def hear(self, record: OrderRecord) -> None:
        bot = self._bots.get(record.order.bot)
        if bot is not None:
            bot.hear(record)

    def wake(self, user: str) -> None:
        for account_type in AccountType:
            bot = self._bots.get(BotId(user, account_type))
            if bot is not None:
                bot.wake()

    def wake_all(self) -> None:
        """What bots may follow, or do, has changed."""
        self._followers = None
        for bot in self._bots.values():
            bot.wake()

    def wake_for(self, tickers: set[str]) -> None:
        """Those in manual mode: their assets can be bought again, or no longer."""
        for bot in self._bots.values():
            if bot.desired.config.asset in tickers:
                bot.wake()

    def _desired_changed(self, _: str, entry: Entry[DesiredBot] | None) -> None:
        if entry is None:
            return
        desired = entry.value
        self._desired[desired.bot] = desired
        self._wishes[desired.bot] = entry.cause
        (self._wanted.add if desired.running else self._wanted.discard)(desired.bot)
        bot = self._bots.get(desired.bot)
        if bot is not None:
            bot.update(desired)
            self._followers = None
            self.changed.set()
        self._ensure(desired.bot)

    def _ensure(self, bot: BotId) -> None:
        keeper = self._keepers.get(bot)
        if not self._owns(bot.user) or self._needed(bot) is None or (keeper is not None and not keeper.done()):
            return
        task = asyncio.create_task(self._keep(bot), name=f"bot:{bot}")
        self._keepers[bot] = task
        task.add_done_callback(lambda done: self._ended(bot, done))

    def _ended(self, bot: BotId, keeper: asyncio.Task[None]) -> None:
        if self._keepers.get(bot) is keeper:
            del self._keepers[bot]
            self._ensure(bot)

    def _needed(self, bot: BotId) -> DesiredBot | None:
        """What is wanted of it, if its run is not over."""
        desired = self._desired.get(bot)
        if desired is None or self._finished.get(bot) == desired.run:
            return None
        status = self._desk.journals.status(bot)
        over = status is not None and status.run == desired.run and not status.state.alive
        return None if over and not desired.running else desired

    def _owns(self, user: str) -> bool:
        return partition_of(user) in self._partitions

    def _time_left(self, user: str) -> float:
        """Seconds for which this process may act for the user."""
        lease = self._partitions.get(partition_of(user))
        return 0.0 if lease is None else lease.time_left

    async def _keep(self, bot: BotId) -> None:
        while self._owns(bot.user) and (desired := self._needed(bot)) is not None:
            try:
                await self._run(desired)
                continue
            except (BusError, NotOwned) as error:
                log.warning("bot_interrupted", bot=str(bot), error=repr(error))
            except Exception as error:
                log.exception("bot_failed", bot=str(bot))
                told = f"the bot on the {bot.account_type} account cannot go on; it is tried again: {error!r}"
                alert_id = derived_id("alert", "bot_failed", desired.run, repr(error))
                await alarm(self._desk.bus, "bot_failed", told, id=alert_id, user=bot.user, run=desired.run)
            if self._owns(bot.user):
                await asyncio.sleep(_PAUSE)

    async def _run(self, desired: DesiredBot) -> None:
        causes = Causes(self._wishes[desired.bot])
        bot = await Bot.recover(self._desk, desired, partial(self._time_left, desired.user), causes)
        self._bots[desired.bot] = bot
        bot.update(self._desired[desired.bot])
        self._report()
        try:
            status = await bot.run()
            self._finished[status.bot] = status.run
        finally:
            del self._bots[desired.bot]
            self._report()

    def _report(self) -> None:
        _running.set(len(self._bots))
        self._followers = None
        self.changed.set()
