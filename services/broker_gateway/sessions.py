"""Every user's session that this gateway should hold: whoever wants one, and whoever has an unsettled order."""

import asyncio
from datetime import timedelta

import structlog
from prometheus_client import Gauge

from libs.bus import Bus, BusError, Entry, Mirror
from libs.bus.topology import DESIRED, ORDERS
from libs.contracts.account import DesiredSession
from libs.contracts.orders import OrderRecord, OrderState
from services.broker_gateway.records import OrderGone, Records
from services.broker_gateway.session import Connect, Session

log = structlog.get_logger()

_SWEEP = 5.0

_sessions = Gauge("pregao_broker_sessions", "Users whose session this gateway holds or tries to hold")


class Sessions:
    def __init__(self, bus: Bus, connect: Connect, grace: timedelta) -> None:
        self._bus = bus
        self._connect = connect
        self._grace = grace
        self._running: dict[str, tuple[Session, asyncio.Task[None]]] = {}
        self._desired: Mirror[DesiredSession] | None = None
        self._orders: Mirror[OrderRecord] | None = None
        self._unsettled: dict[str, dict[str, OrderRecord]] = {}
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Returns when it is known who wants a session and what is unsettled."""
        self._orders = await self._bus.mirror(
            ORDERS, ">", OrderRecord, self._order_changed, keep=lambda record: not record.state.final
        )
        self._desired = await self._bus.mirror(DESIRED, "session.*", DesiredSession, self._desire_changed)

    async def run(self) -> None:
        """Until cancelled; then every session is given up in order."""
        try:
            while True:
                self._changed.clear()
                self._fit()
                await self._expire_orphans()
                try:
                    async with asyncio.timeout(_SWEEP):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = [task for _, task in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _fit(self) -> None:
        for user, (_, task) in list(self._running.items()):
            if task.done():
                del self._running[user]
                if not task.cancelled() and task.exception() is not None:
                    log.error("session_failed", user=user, exc_info=task.exception())
        for user in self._needed() - self._running.keys():
            session = self._session(user)
            task = asyncio.create_task(session.run(), name=f"session:{user}")
            task.add_done_callback(lambda _: self._changed.set())
            self._running[user] = session, task
        _sessions.set(len(self._running))

    def _needed(self) -> set[str]:
        """Users who want a session, and those with an unsettled order."""
        assert self._desired is not None  # noqa: S101
        desired = [entry.value for _, entry in self._desired.items()]
        return {wish.user for wish in desired if wish.connected or wish.user in self._unsettled}

    def _session(self, user: str) -> Session:
        desired = self._desired

        def wanted() -> DesiredSession | None:
            return desired.get(f"session.{user}") if desired else None

        def unsettled() -> list[OrderRecord]:
            return list(self._unsettled.get(user, {}).values())

        return Session(user, self._bus, self._connect, wanted, unsettled, self._grace)

    async def _expire_orphans(self) -> None:
        """Intents that nobody submitted, also of users whose session nobody can hold."""
        now = self._bus.clock.now()
        late = [
            record.order
            for records in self._unsettled.values()
            for record in records.values()
            if record.state is OrderState.INTENDED and now > record.order.expires_at
        ]
        for order in late:
            try:
                await Records(order.user, self._bus).expire(order.order_id)
            except (BusError, OrderGone) as error:
                log.warning("order_not_expired", order_id=order.order_id, error=str(error))

    def _desire_changed(self, key: str, _entry: Entry[DesiredSession] | None) -> None:
        self._wake(key.removeprefix("session."))

    def _order_changed(self, key: str, entry: Entry[OrderRecord] | None) -> None:
        user, order_id = key.split(".", 1)
        if entry is not None:
            self._unsettled.setdefault(user, {})[order_id] = entry.value
        elif user in self._unsettled:
            self._unsettled[user].pop(order_id, None)
            if not self._unsettled[user]:
                del self._unsettled[user]
        self._wake(user)

    def _wake(self, user: str) -> None:
        self._changed.set()
        running = self._running.get(user)
        if running is not None:
            running[0].woken.set()
