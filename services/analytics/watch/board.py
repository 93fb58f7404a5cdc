"""Which alarms are up: raised once, ended once, also over a restart."""

from collections.abc import Iterable
from hashlib import blake2b

import structlog

from libs.bus import Bus, BusError
from libs.bus.topology import ALARMS
from libs.contracts import subjects
from libs.contracts.alerts import Alert, Severity
from libs.contracts.clock import Clock
from libs.contracts.codec import Message
from libs.contracts.ids import new_id
from services.analytics.watch.hysteresis import Change, Hysteresis, Limit
from services.analytics.watch.rules import Observation

_ANY = Limit(1, 1)
_MOST = 20
"""Alarms of one kind that are told one by one: a thousand users with the same trouble are one trouble."""

log = structlog.get_logger()

Name = tuple[str, str]
"""Kind and key."""


class Alarm(Message, frozen=True, kw_only=True):
    """One that is up (KV `alarms`)."""

    key: str
    alert: Alert
    told: bool = False
    """False: it may be in the stream or not; stored under its id it is there once."""
    silent: bool = False
    """There are too many of its kind."""


class Board:
    """Of one process at a time. Methods raise BusError; what they could not do they do when they are asked again."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._clock: Clock = bus.clock
        self._bucket = bus.bucket(ALARMS)
        self._alarms: dict[Name, Alarm] = {}
        self._states: dict[Name, Hysteresis] = {}
        self._last: dict[Name, Observation] = {}

    async def read(self) -> None:
        """What the process before knew."""
        entries = await self._bucket.entries("alarm.>", Alarm)
        self._alarms = {(entry.value.alert.kind, entry.value.key): entry.value for entry in entries}
        self._states.clear()
        self._last.clear()

    async def see(self, observations: Iterable[Observation], kinds: Iterable[str]) -> None:
        """`kinds`: of all that was looked for. What was not observed of them is well; other kinds are as they were."""
        await self._tell_untold()
        seen = {(each.kind, each.key): each for each in observations}
        looked = set(kinds)
        now = self._clock.monotonic()
        for name, observation in seen.items():
            await self._step(name, observation, observation.value, now)
        for name in [*self._alarms, *self._states]:
            if name not in seen and name[0] in looked:
                if name in self._last:
                    await self._step(name, self._last[name], float("-inf"), now)
                elif name in self._alarms:
                    await self._end(name)  # as the process before knew it; nobody sees it any more
        await self._gather_many()

    async def _step(self, name: Name, observation: Observation, value: float, now: float) -> None:
        self._last[name] = observation
        state = self._states.get(name)
        if state is None:
            state = self._states[name] = Hysteresis(observation.limit, raised=name in self._alarms)
        change = state.see(value, now)
        try:
            if change is Change.RAISED:
                await self._raise(name, observation)
            elif change is Change.CLEARED:
                await self._end(name)
        except BusError:
            del self._states[name]  # it is as the alarms say, which did not change
            raise
        if state.at_rest:
            self._states.pop(name, None)
            self._last.pop(name, None)

    async def _raise(self, name: Name, observation: Observation) -> None:
        silent = sum(kind == name[0] for kind, _ in self._alarms) >= _MOST
        alert = Alert(
            id=new_id(),
            at=self._clock.now(),
            severity=observation.severity,
            service="analytics",
            kind=observation.kind,
            message=observation.message,
            user=observation.user,
            details=dict(observation.details),
        )
        await self._put(name, Alarm(key=name[1], alert=alert, told=silent, silent=silent))
        log.warning("alarm_raised", kind=alert.kind, key=name[1], message=alert.message, silent=silent)
        await self._tell_untold()

    async def _end(self, name: Name) -> None:
        alarm = self._alarms[name]
        alert = alarm.alert
        if not alarm.silent:
            over = Alert(
                id=f"{alert.id}.over",
                at=self._clock.now(),
                severity=Severity.INFO,
                service=alert.service,
                kind=alert.kind,
                message=f"Over: {alert.message}",
                user=alert.user,
                details=alert.details,
                ends=alert.id,
            )
            await self._bus.append(subjects.alert(over.severity), over, id=over.id)
        await self._bucket.delete(_key(name))
        del self._alarms[name]
        log.info("alarm_ended", kind=alert.kind, key=name[1])

    async def _tell_untold(self) -> None:
        """Known first, told then: a crash in between tells it again under the same id."""
        for name, alarm in list(self._alarms.items()):
            if not alarm.told:
                alert = alarm.alert
                await self._bus.append(subjects.alert(alert.severity), alert, id=alert.id)
                await self._put(name, Alarm(key=alarm.key, alert=alert, told=True))

    async def _gather_many(self) -> None:
        """One alarm for all that are not told one by one."""
        silent = {alarm.alert.kind for alarm in self._alarms.values() if alarm.silent}
        for kind in silent:
            name = (f"{kind}_many", "")
            if name not in self._alarms:
                first = next(alarm for alarm in self._alarms.values() if alarm.alert.kind == kind)
                message = f"More than {_MOST} alarms of one kind; others are not told: {first.alert.message}"
                severity = Severity.CRITICAL
                await self._raise(name, Observation(name[0], "", 1, _ANY, message, severity))
        for name in [name for name in self._alarms if name[0].endswith("_many")]:
            if name[0].removesuffix("_many") not in silent:
                await self._end(name)

    async def _put(self, name: Name, alarm: Alarm) -> None:
        await self._bucket.put(_key(name), alarm)
        self._alarms[name] = alarm


def _key(name: Name) -> str:
    """Any text may be part of a name, but not of a key."""
    return f"alarm.{name[0]}.{blake2b(name[1].encode(), digest_size=16).hexdigest()}"
