"""The strategies that bots follow: built-in ones, and those of users in a process of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

from libs.bus import Bus
from libs.contracts.bots import BotConfig
from libs.contracts.ids import derived_id
from libs.contracts.rpc import Nothing
from libs.contracts.strategies import StrategyList
from libs.strategies.description import describe
from libs.strategies.loading import sources
from libs.strategies.panel import Panel
from libs.strategies.parameters import BadParameters, build
from libs.strategies.probe import Unfit, judged
from libs.strategies.protocol import PackedPanel
from libs.strategies.registry import BUILT_IN
from libs.strategies.sandbox import Sandbox, StrategyFailed
from libs.strategies.strategy import Signals, Strategy
from services.bot_runtime.alarms import alarm

log = structlog.get_logger()

_KINDS = {kind.name: kind for kind in BUILT_IN}
_BUILT_IN = [describe(kind) for kind in BUILT_IN]
_MOST = 100
"""Evaluations of users' strategies under way at a time; more are left out."""


class Followed(msgspec.Struct, frozen=True):
    """One strategy with one set of parameters: evaluated once, whatever the number of bots."""

    name: str
    parameters: str
    """JSON. Of built-in strategies all of them, so that equal sets are equal; of others those that were given."""


class Strategies:
    """One that fails is not tried again by this process, its bots stop, and an alert tells why."""

    def __init__(self, bus: Bus, failed: Callable[[], None]) -> None:
        """`failed()` is called when `reason_against` has new answers."""
        self._bus = bus
        self._tell_failed = failed
        self._sandbox = Sandbox(_KINDS)
        self._reasons: dict[Followed | str, str] = {}
        """Why not, by what was followed; by name, where no parameters can help."""
        self._under_way: dict[tuple[Followed, int], asyncio.Task[None]] = {}
        self._alerts: set[asyncio.Task[None]] = set()

    async def load(self, directory: Path | None) -> None:
        """Those of users; one that cannot be used is told of."""
        for source, reason in (await self._sandbox.load(sources(directory))).items():
            self._alert("strategy_not_loaded", source.text, reason)
        log.info("strategies_loaded", built_in=sorted(_KINDS), of_users=sorted(self._sandbox.descriptions))

    async def close(self) -> None:
        tasks = [*self._under_way.values(), *self._alerts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sandbox.close()

    async def list(self, _: Nothing) -> StrategyList:
        """That can be used."""
        known = [*_BUILT_IN, *self._sandbox.descriptions.values()]
        return StrategyList(strategies=tuple(one for one in known if one.name not in self._reasons))

    async def check(self, config: BotConfig) -> None:
        """Raises ValueError that names the field."""
        name, parameters = _name(config), config.strategy_parameters or {}
        if name not in _KINDS and name not in self._sandbox.descriptions:
            known = ", ".join(sorted({*_KINDS, *self._sandbox.descriptions}))
            raise ValueError(f"`config.strategy`: there is no strategy {config.strategy!r}; there are {known}")
        try:
            if name in _KINDS:
                build(_KINDS[name], parameters)
            else:
                await self._sandbox.check(name, parameters)
        except (BadParameters, StrategyFailed) as error:
            raise ValueError(f"`config.strategyParameters`: {error}") from error
        if reason := self.reason_against(config):
            raise ValueError(f"`config.strategy`: {reason}")

    def reason_against(self, config: BotConfig) -> str:
        """Why bots with this configuration cannot trade; empty when they can."""
        name = _name(config)
        if name not in _KINDS and name not in self._sandbox.descriptions:
            return f"strategy {name} is not there"
        try:
            reason = self._reasons.get(name) or self._reasons.get(followed(config))
        except BadParameters as error:
            reason = str(error)
        return f"strategy {name} cannot be used: {reason}" if reason else ""

    async def evaluate(self, one: Followed, panel: Panel, said: Callable[[Followed, Signals], Awaitable[None]]) -> None:
        """`said` is awaited before this returns, or later for strategies of users, or never."""
        strategy = _built_in(one)
        if strategy is not None:
            if (signals := self._judge(one, strategy, panel)) is not None:
                await said(one, signals)
        elif (one, panel.size) not in self._under_way and len(self._under_way) < _MOST:
            task = asyncio.create_task(self._hear(one, PackedPanel.of(panel), said), name=f"strategy:{one.name}")
            self._under_way[one, panel.size] = task
            task.add_done_callback(partial(self._done, one, panel.size))

    async def hear_users(self, panel: Panel, said: Callable[[str, Signals], None]) -> None:
        """What users' strategies say with default parameters, one after the other."""
        wanted = [Followed(name, "{}") for name in self._sandbox.descriptions if name not in self._reasons]
        packed = PackedPanel.of(panel) if wanted else None
        for one in wanted:
            if packed is None or one in self._reasons:
                continue
            if (signals := await self._ask(one, packed)) is not None:
                said(one.name, signals)

    def _judge(self, one: Followed, strategy: Strategy, panel: Panel) -> Signals | None:
        try:
            signals, _ = judged(strategy, panel)
        except Unfit as unfit:
            self._fail(one, one, str(unfit))
            return None
        return signals

    def _done(self, one: Followed, size: int, _: asyncio.Task[None]) -> None:
        del self._under_way[one, size]

    async def _hear(
        self, one: Followed, panel: PackedPanel, said: Callable[[Followed, Signals], Awaitable[None]]
    ) -> None:
        if (signals := await self._ask(one, panel)) is not None:
            await said(one, signals)

    async def _ask(self, one: Followed, panel: PackedPanel) -> Signals | None:
        """None when there is no answer that can be used; that is told."""
        try:
            return await self._sandbox.evaluate(one.name, msgspec.json.decode(one.parameters), panel)
        except StrategyFailed as failed:
            self._fail(one.name if failed.fatal else one, one, str(failed))
        except OSError as error:
            log.error("strategy_worker_not_started", error=str(error))
        return None

    def _fail(self, what: Followed | str, one: Followed, reason: str) -> None:
        self._reasons[what] = reason
        self._alert("strategy_disabled", one.name, reason, parameters=one.parameters)
        self._tell_failed()

    def _alert(self, kind: str, name: str, reason: str, **details: str) -> None:
        log.error(kind, strategy=name, reason=reason, **details)
        told = f"strategy {name}: {reason}"
        alert_id = derived_id("alert", kind, name, reason, self._bus.instance)
        telling = alarm(self._bus, kind, told, id=alert_id, strategy=name, **details)
        task = asyncio.create_task(telling, name=f"alert:{kind}")
        self._alerts.add(task)
        task.add_done_callback(self._alerts.discard)


def followed(config: BotConfig) -> Followed:
    """Raises BadParameters."""
    name, parameters = _name(config), config.strategy_parameters
    return _followed(name, tuple(sorted(parameters.items())) if parameters else ())


@lru_cache(maxsize=4096)
def _followed(name: str, parameters: tuple[tuple[str, Any], ...]) -> Followed:
    given = dict(parameters)
    full: object = build(_KINDS[name], given) if name in _KINDS else given
    return Followed(name, msgspec.json.encode(full, order="sorted").decode())


@lru_cache(maxsize=4096)
def _built_in(one: Followed) -> Strategy | None:
    kind = _KINDS.get(one.name)
    return None if kind is None else build(kind, msgspec.json.decode(one.parameters))


def _name(config: BotConfig) -> str:
    """`support_resistance` is spelled so by some clients."""
    return config.strategy.replace("_", "-")
