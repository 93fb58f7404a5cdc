"""What happens to a user, to that user's sockets only: each from a snapshot on, or from the last event it saw."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog
from prometheus_client import Counter

from libs.bus import Bus, BusUnavailable, Stored, tracing
from libs.bus.topology import NEWS
from libs.contracts import subjects
from libs.contracts.clock import Clock
from services.socket_edge import emissions
from services.socket_edge.emissions import Emission
from services.socket_edge.line import SLOTS, Line, Told
from services.socket_edge.payloads import Event, Resumed, ResumeGap
from services.socket_edge.snapshot import snapshot
from services.socket_edge.state import State

T = TypeVar("T")

log = structlog.get_logger()

LOOKBACK = 10.0
"""Seconds of a user's past in which everything is found that can still be held back (Sequence waits two)."""
_SLACK = 0.5
"""Seconds a message may take to here; a wait that ends is ended that much later than it says."""
_AGAIN = 1.0
_DRAINED = 0.02
"""Seconds between looks at whether a client has read what it was sent."""
_returns = Counter("pregao_edge_returns_total", "Sockets whose client said what it saw last", ["outcome"])

_RESUMED = {emissions.DEFAULT: emissions.RESUMED, emissions.BOT: emissions.RESUMED_BOT}
_GAPS = {emissions.DEFAULT: emissions.RESUME_GAP, emissions.BOT: emissions.RESUME_GAP_BOT}


@dataclass(slots=True, eq=False)
class Visitor:
    """A socket that is not one of the audience yet."""

    sid: str
    namespace: str
    here: int
    """What is told of later has a higher `seq`."""
    after: int | None
    """Up to this `seq` it has seen everything, as its client says; None if it needs a snapshot."""
    told: list[Told] = field(default_factory=list)
    """What was told since it came."""
    task: asyncio.Task[None] | None = None


class _Member(NamedTuple):
    namespace: str
    seen: int
    """Up to this `seq` it was told when it was let in: what it read of the stream may be ahead of what we heard."""


@dataclass(slots=True, eq=False)
class _Audience:
    """The sockets of one user here."""

    line: Line | None = None
    """None until it was read from the stream."""
    pending: list[Stored] = field(default_factory=list)
    """What came meanwhile."""
    read: asyncio.Event = field(default_factory=asyncio.Event)
    members: dict[str, _Member] = field(default_factory=dict)
    """By socket."""
    visitors: dict[str, Visitor] = field(default_factory=dict)
    reading: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class Outlet(Protocol):
    """Where events go (Fanout)."""

    def deliver_to(self, sids: Iterable[str], emission: Emission, payload: Event) -> None: ...
    def keeps_up(self, sid: str) -> bool: ...
    def cut(self, sid: str, reason: str) -> None: ...


class Gap(Exception):
    """What was missed cannot be told."""


class UserEvents:
    """Users without a socket here cost nothing: what happens to them is in the stream when they come."""

    def __init__(self, bus: Bus, fanout: Outlet, state: State, clock: Clock, most: int) -> None:
        """`most`: events that are sent again to one socket."""
        self._bus = bus
        self._fanout = fanout
        self._state = state
        self._clock = clock
        self._most = most
        self._audiences: dict[str, _Audience] = {}
        self._position = 0
        self._ahead = clock.now().timestamp() - clock.monotonic()
        """The server's clock, less our monotonic one."""

    def begin(self, position: int) -> None:
        """`hear` will be given every message after this one."""
        self._position = position

    def hear(self, stored: Stored) -> None:
        self._position = stored.sequence
        self._ahead = stored.at - self._clock.monotonic()
        user = stored.subject.split(".")[1]  # only what the stream takes over is there, not what a client could name
        audience = self._audiences.get(user)
        if audience is None:
            return
        if audience.line is None:
            audience.pending.append(stored)
        elif stored.sequence > audience.line.read:
            self._tell(user, audience, audience.line.add(stored))

    def arrived(self, sid: str, namespace: str, user: str, last_seq: object) -> None:
        """`last_seq`: what the client says that it saw last; None if it is new."""
        audience = self._audiences.get(user)
        if audience is None:
            audience = self._audiences[user] = _Audience()
            audience.reading = _start(self._read(user, audience), f"read:{user}")
        here = (self._position + 1) * SLOTS - 1
        visitor = Visitor(sid, namespace, here, last_seq if isinstance(last_seq, int) else None)
        audience.visitors[sid] = visitor
        visitor.task = _start(self._admit(user, audience, visitor, last_seq), f"admit:{sid}")

    def left(self, sid: str, user: str) -> None:
        audience = self._audiences.get(user)
        if audience is None:
            return
        audience.members.pop(sid, None)
        visitor = audience.visitors.pop(sid, None)
        if visitor is not None and visitor.task is not None:
            visitor.task.cancel()
        if not audience.members and not audience.visitors:
            del self._audiences[user]
            if audience.reading is not None:
                audience.reading.cancel()
            if audience.timer is not None:
                audience.timer.cancel()

    def _now(self) -> float:
        """Epoch seconds, by the server's clock."""
        return self._clock.monotonic() + self._ahead

    def _line(self, user: str) -> Line:
        return Line(lambda: self._state.of(user).bots[None])

    async def _read(self, user: str, audience: _Audience) -> None:
        """The user's line, as an edge has it that was there all the time."""

        async def once() -> list[Stored]:
            audience.pending.clear()
            return await self._stored(user, self._now() - LOOKBACK)

        line = self._line(user)
        told = [each for stored in await self._insist(once) for each in line.add(stored)]
        told += [each for stored in audience.pending if stored.sequence > line.read for each in line.add(stored)]
        audience.line = line
        audience.pending.clear()
        self._tell(user, audience, told + line.due(self._now() - _SLACK))
        audience.read.set()

    async def _admit(self, user: str, audience: _Audience, visitor: Visitor, last_seq: object) -> None:
        missed: list[Told] = []
        gap = "" if last_seq is None else "unknown"
        if visitor.after is not None:
            after = visitor.after
            try:
                missed, gap = await self._insist(lambda: self._missed(user, visitor.namespace, after)), ""
            except Gap as error:
                gap = str(error)
        await audience.read.wait()
        for told in missed:
            await self._room(visitor.sid)
            self._send(visitor.sid, told.emission, told.payload)
        # From here on nothing is awaited: what is told next goes to it as one of the audience.
        line = audience.line
        assert line is not None  # noqa: S101  # it was read
        del audience.visitors[visitor.sid]
        if last_seq is not None:
            _returns.labels(gap or "resumed").inc()
        if visitor.after is not None and not gap:
            seen = self._caught_up(user, visitor, visitor.after, missed)
        else:
            seen = self._introduce(user, line, visitor, last_seq, gap)
        audience.members[visitor.sid] = _Member(visitor.namespace, seen)

    async def _room(self, sid: str) -> None:
        """Until the socket has read most of what it was sent; who never does is cut off by its pings."""
        while not self._fanout.keeps_up(sid):  # noqa: ASYNC110  # nothing tells when a client reads
            await asyncio.sleep(_DRAINED)

    def _caught_up(self, user: str, visitor: Visitor, after: int, missed: list[Told]) -> int:
        seen = missed[-1].seq if missed else after
        resumed = Resumed(user_id=user, timestamp=self._clock.now(), seq=seen, missed=len(missed))
        self._send(visitor.sid, _RESUMED[visitor.namespace], resumed)
        for told in visitor.told:
            if told.seq > seen:
                self._send(visitor.sid, told.emission, told.payload)
        return seen

    def _introduce(self, user: str, line: Line, visitor: Visitor, last_seq: object, gap: str) -> int:
        news = [told for told in visitor.told if told.seq > visitor.here]
        seq = min([line.covered(self._position), *(told.seq - 1 for told in news)])
        now = self._clock.now()
        if gap:
            said = last_seq if isinstance(last_seq, int) else None
            told = ResumeGap(user_id=user, timestamp=now, seq=seq, last_seq=said, reason=gap)
            self._send(visitor.sid, _GAPS[visitor.namespace], told)
        if visitor.namespace == emissions.DEFAULT:
            self._send(visitor.sid, emissions.SNAPSHOT, snapshot(user, self._state, line, seq, now))
        for each in news:
            self._send(visitor.sid, each.emission, each.payload)
        return seq

    async def _missed(self, user: str, namespace: str, after: int) -> list[Told]:
        """What was told after that. Raises Gap and BusUnavailable."""
        number = after // SLOTS
        extent = await self._bus.extent(NEWS)
        if not 0 <= number <= extent.last:
            raise Gap("unknown")
        if number < extent.first - 1:
            raise Gap("expired")
        at = await self._bus.stored_at(NEWS, number) if number >= extent.first else datetime.fromtimestamp(0, UTC)
        if at is None:
            raise Gap("expired")
        line = self._line(user)
        told = [each for stored in await self._stored(user, at.timestamp() - LOOKBACK) for each in line.add(stored)]
        told += line.due(self._now() - _SLACK)
        missed = [each for each in told if each.seq > after and each.emission.namespace == namespace]
        if len(missed) > self._most:
            raise Gap("too-many")
        return missed

    async def _stored(self, user: str, since: float) -> list[Stored]:
        return await self._bus.stored(NEWS, subjects.news(user, "*"), datetime.fromtimestamp(max(since, 0.0), UTC))

    async def _insist(self, read: Callable[[], Coroutine[Any, Any, list[T]]]) -> list[T]:
        """The socket is there, whether the bus is or not: what it is owed comes when it can be read."""
        while True:
            try:
                return await read()
            except BusUnavailable as error:
                log.warning("news_not_readable", error=str(error))
                await asyncio.sleep(_AGAIN)

    def _tell(self, user: str, audience: _Audience, told: list[Told]) -> None:
        for each in told:
            namespace = each.emission.namespace
            members = audience.members.items()
            sids = [sid for sid, member in members if member.namespace == namespace and member.seen < each.seq]
            if sids:
                with tracing.span("tell sockets", event=each.emission.name):
                    self._fanout.deliver_to(sids, each.emission, each.payload)
            for visitor in list(audience.visitors.values()):
                if visitor.namespace != namespace:
                    continue
                if len(visitor.told) < self._most:
                    visitor.told.append(each)
                else:
                    self._fanout.cut(visitor.sid, "overflow")
        self._wait(user, audience)

    def _send(self, sid: str, emission: Emission, payload: Event) -> None:
        self._fanout.deliver_to([sid], emission, payload)

    def _wait(self, user: str, audience: _Audience) -> None:
        if audience.timer is not None:
            audience.timer.cancel()
            audience.timer = None
        deadline = audience.line.deadline if audience.line is not None else None
        if deadline is not None:
            delay = max(0.0, deadline + _SLACK - self._now())
            audience.timer = asyncio.get_running_loop().call_later(delay, self._overdue, user, audience, deadline)

    def _overdue(self, user: str, audience: _Audience, deadline: float) -> None:
        if audience.line is not None:
            self._tell(user, audience, audience.line.due(deadline))


def _start(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("visitor_failed", exc_info=task.exception())
