"""Every user's session: whoever wants one, and whoever has an unsettled order.

Each falls to one of the live gateways, which tries first; the others stand by. When a gateway joins, the sessions that
fall to it are handed over one after another, each when no order of it is being sent.
"""

import asyncio
from datetime import timedelta

import structlog

from libs.bus import Bus, BusError, Entry, Members, Mirror
from libs.bus.topology import DESIRED, ORDERS
from libs.contracts import keys
from libs.contracts.account import DesiredSession
from libs.contracts.orders import OrderRecord, OrderState
from services.broker_gateway.records import OrderGone, Records
from services.broker_gateway.session import Connect, Session

log = structlog.get_logger()

_SWEEP = 5.0
_HAND_OVER = 0.05
"""Seconds between two sessions that are handed over: the broker need not take them all at once."""


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
        self._members = Members(bus, "gateway", self._members_changed)
        self._regrouped = asyncio.Event()

    async def start(self) -> None:
        """Returns when it is known who wants a session, what is unsettled, and which gateways there are."""
        self._orders = await self._bus.mirror(
            ORDERS, ">", OrderRecord, self._order_changed, keep=lambda record: not record.state.final
        )
        self._desired = await self._bus.mirror(DESIRED, keys.desired_session("*"), DesiredSession, self._desire_changed)
        await self._members.start()  # at last: from now on it is handed sessions

    def users_of(self, broker_user_id: str) -> set[str]:
        """Who wants a session of that account; only one of them can have it."""
        desired = [entry.value for _, entry in self._desired.items()] if self._desired else []
        return {wish.user for wish in desired if wish.connected and wish.broker_user_id == broker_user_id}

    async def run(self) -> None:
        """Until cancelled; then every session is given up in order."""
        handing_over = asyncio.create_task(self._hand_over(), name="sessions:hand-over")
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
            await self._members.stop()
            tasks = [handing_over, *(task for _, task in self._running.values())]
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

    def _needed(self) -> set[str]:
        """Users who want a session, and those with an unsettled order."""
        assert self._desired is not None  # noqa: S101
        desired = [entry.value for _, entry in self._desired.items()]
        return {wish.user for wish in desired if wish.connected or wish.user in self._unsettled}

    def _session(self, user: str) -> Session:
        desired = self._desired

        def wanted() -> DesiredSession | None:
            return desired.get(keys.desired_session(user)) if desired else None

        def unsettled() -> list[OrderRecord]:
            return list(self._unsettled.get(user, {}).values())

        def rank() -> int:
            return self._members.rank(user)

        return Session(user, self._bus, self._connect, wanted, unsettled, rank, self._grace)

    async def _hand_over(self) -> None:
        """What falls to another since the gateways are others."""
        while True:
            await self._regrouped.wait()
            self._regrouped.clear()
            for user, (session, _) in list(self._running.items()):
                if session.holds and self._members.rank(user):
                    session.hand_over()
                    await asyncio.sleep(_HAND_OVER)

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

    def _members_changed(self) -> None:
        self._regrouped.set()
        for session, _ in self._running.values():
            session.woken.set()

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
