"""The bots this process runs: those of the users in the partitions it holds."""

import asyncio
from collections.abc import Iterable
from functools import partial

import structlog
from prometheus_client import Gauge

from libs.bus import Bus, BusError, Entry, Lease
from libs.bus.topology import DESIRED
from libs.contracts.bots import BotConfig, DesiredBot
from libs.contracts.orders import OrderRecord
from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals
from services.bot_runtime.board import Board, Moment
from services.bot_runtime.bot import Bot, NotOwned
from services.bot_runtime.desires import desired_key
from services.bot_runtime.desk import Desk
from services.bot_runtime.partitions import partition_of
from services.bot_runtime.strategies import Followed, followed

log = structlog.get_logger()

_PAUSE = 2.0
"""Seconds before a bot that failed is recovered."""

_running = Gauge("pregao_bots", "Bots this process runs")


class Fleet:
    """Reconciles: for every user of a held partition whose run is not over there is a bot, and no other bots."""

    def __init__(self, desk: Desk) -> None:
        self.changed = asyncio.Event()
        """Set when other bots run, or want other candles, than before."""
        self._desk = desk
        self._desired: dict[str, DesiredBot] = {}
        self._wanted: set[str] = set()
        """Users whose bot is to run."""
        self._finished: dict[str, str] = {}
        """Run that ended here, by user: known before the mirror of statuses tells."""
        self._partitions: dict[int, Lease] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._bots: dict[str, Bot] = {}

    async def follow(self, bus: Bus) -> None:
        await bus.mirror(DESIRED, desired_key("*"), DesiredBot, self._desired_changed)

    def take(self, partition: int, lease: Lease) -> None:
        """Run its users' bots from now on; they act only while the lease is held."""
        self._partitions[partition] = lease
        for user in [user for user in self._desired if partition_of(user) == partition]:
            self._ensure(user)

    def drop(self, partition: int) -> None:
        """Stop acting for its users, at once; the bots go on wherever it is taken next."""
        self._partitions.pop(partition, None)
        for user, keeper in self._keepers.items():
            if partition_of(user) == partition:
                keeper.cancel()
                # Until Python 3.12 `wait_for`, and so every request to NATS, may swallow a cancellation: the bot then
                # finds out by itself.
                self.wake(user)

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

    def evaluate(self, panel: Panel, end: int) -> None:
        """A round of candles is complete: each strategy is evaluated once, whatever the number of its followers."""
        followers: dict[Followed, list[Bot]] = {}
        for bot in self._bots.values():
            config = bot.desired.config
            if bot.size == panel.size and bot.desired.running and not self._desk.strategies.reason_against(config):
                followers.setdefault(followed(config), []).append(bot)
        moment, clock = Moment(panel, end), self._desk.clock

        def said(one: Followed, signals: Signals) -> None:
            board = Board(moment, one.name, one.parameters, signals, clock.now(), clock.monotonic())
            for bot in followers[one]:
                bot.offer(board)

        self._desk.strategies.evaluate(panel, followers, said)

    def hear(self, record: OrderRecord) -> None:
        bot = self._bots.get(record.order.user)
        if bot is not None:
            bot.hear(record)

    def wake(self, user: str) -> None:
        bot = self._bots.get(user)
        if bot is not None:
            bot.wake()

    def wake_all(self) -> None:
        for bot in self._bots.values():
            bot.wake()

    def _desired_changed(self, _: str, entry: Entry[DesiredBot] | None) -> None:
        if entry is None:
            return
        desired = entry.value
        self._desired[desired.user] = desired
        (self._wanted.add if desired.running else self._wanted.discard)(desired.user)
        bot = self._bots.get(desired.user)
        if bot is not None:
            bot.update(desired)
            self.changed.set()
        self._ensure(desired.user)

    def _ensure(self, user: str) -> None:
        keeper = self._keepers.get(user)
        if not self._owns(user) or self._needed(user) is None or (keeper is not None and not keeper.done()):
            return
        task = asyncio.create_task(self._keep(user), name=f"bot:{user}")
        self._keepers[user] = task
        task.add_done_callback(lambda done: self._ended(user, done))

    def _ended(self, user: str, keeper: asyncio.Task[None]) -> None:
        if self._keepers.get(user) is keeper:
            del self._keepers[user]
            self._ensure(user)

    def _needed(self, user: str) -> DesiredBot | None:
        """The user's desired bot, if its run is not over."""
        desired = self._desired.get(user)
        if desired is None or self._finished.get(user) == desired.run:
            return None
        status = self._desk.journals.status(user)
        over = status is not None and status.run == desired.run and not status.state.alive
        return None if over and not desired.running else desired

    def _owns(self, user: str) -> bool:
        return partition_of(user) in self._partitions

    def _time_left(self, user: str) -> float:
        """Seconds for which this process may act for the user."""
        lease = self._partitions.get(partition_of(user))
        return 0.0 if lease is None else lease.time_left

    async def _keep(self, user: str) -> None:
        while self._owns(user) and (desired := self._needed(user)) is not None:
            try:
                await self._run(desired)
                continue
            except (BusError, NotOwned) as error:
                log.warning("bot_interrupted", user=user, error=repr(error))
            except Exception:
                log.exception("bot_failed", user=user)
            if self._owns(user):
                await asyncio.sleep(_PAUSE)

    async def _run(self, desired: DesiredBot) -> None:
        bot = await Bot.recover(self._desk, desired, partial(self._time_left, desired.user))
        self._bots[desired.user] = bot
        bot.update(self._desired[desired.user])
        self._report()
        try:
            status = await bot.run()
            self._finished[status.user] = status.run
        finally:
            del self._bots[desired.user]
            self._report()

    def _report(self) -> None:
        _running.set(len(self._bots))
        self.changed.set()
