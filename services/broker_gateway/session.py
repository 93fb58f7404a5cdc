"""One user's session to the broker, held under a lease (docs/architecture.md, "Desired state and leases")."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from functools import partial

import structlog
from prometheus_client import Counter, Gauge

from libs.bus import Bus, BusError
from libs.bus.topology import ACCOUNTS
from libs.contracts import keys, subjects
from libs.contracts.account import Balance, Balances, DesiredSession, SessionState, SessionStatus
from libs.contracts.alerts import Severity
from libs.contracts.orders import OrderRecord
from libs.contracts.rpc import BOOKS, SELL_ORDER, SETTLE, SUBMIT_ORDER
from services.broker_gateway.alarms import try_alarm
from services.broker_gateway.broker import (
    AuthenticationRefused,
    BrokerPosition,
    BrokerUnavailable,
    Connection,
    Listener,
)
from services.broker_gateway.orders import OrderDesk
from services.broker_gateway.records import OrderGone, Records
from services.broker_gateway.tenure import Tenure

log = structlog.get_logger()

_LATE = timedelta(seconds=2)
"""After its expiry or its sale, a position whose settlement has not been heard of is looked up."""
_SALE = timedelta(seconds=60)
"""After which a sale that is in no books was lost on its way, and the option is kept."""
_SWEEP = 3.0
"""Seconds between looks at what is unsettled."""
_BACKOFF = (1.0, 30.0)
_STAND_BY = 3.0
"""Seconds that each gateway leaves those whom the session falls to before it."""
_POSITIONS = 1000
"""Position events that can wait; more are dropped and found by the next reconciliation."""

_sessions = Gauge("pregao_broker_sessions", "Users whose session this gateway holds")
_reconnects = Counter("pregao_broker_reconnects_total", "Links to the broker that were lost and made again")

Connect = Callable[[str, Listener, datetime | None], Connection]
"""A new connection for a broker user id, with a session id that was not issued before a time, if there is one."""


class Session:
    """Runs as long as the user wants a session or has an unsettled order; who is asked by `wanted` and `unsettled`.

    `rank` tells how many other gateways it falls to before this one; only a lease decides.
    """

    def __init__(
        self,
        user: str,
        bus: Bus,
        connect: Connect,
        wanted: Callable[[], DesiredSession | None],
        unsettled: Callable[[], list[OrderRecord]],
        rank: Callable[[], int],
        grace: timedelta,
    ) -> None:
        self._user = user
        self._bus = bus
        self._connect = connect
        self._wanted = wanted
        self._unsettled = unsettled
        self._rank = rank
        self._grace = grace
        self._accounts = bus.bucket(ACCOUNTS)
        self._balances: Balances | None = None
        self._published: SessionStatus | None = None
        self._fresh_since: datetime | None = None
        """What the connection was opened with (`DesiredSession.fresh_since`)."""
        self._positions: asyncio.Queue[BrokerPosition] = asyncio.Queue(_POSITIONS)
        self._balances_fresh = False
        self._link_up = False
        self._refused = False
        self._reconcile = False
        self._leaving = False
        self.holds = False
        self.woken = asyncio.Event()
        """Set when something it depends on has changed."""

    @property
    def needed(self) -> bool:
        desired = self._wanted()
        return desired is not None and (desired.connected or bool(self._unsettled()))

    async def run(self) -> None:
        """Until it is not needed."""
        pause = _BACKOFF[0]
        await self._stand_by(0.0)
        while self.needed:
            account = self._account()
            tenure = Tenure(self._bus, self._user, account, self.woken.set)
            try:
                if await tenure.acquire():
                    await self._hold(tenure, account)
                    while self._outdated(account) and tenure.held:
                        await self._hold(tenure, account)  # at once, and before anybody else takes it
                pause = _BACKOFF[0]
            except AuthenticationRefused as error:
                if not self._outdated(account):
                    await self._until_asked_anew(str(error))
            except (BrokerUnavailable, BusError) as error:
                log.warning("session_not_available", user=self._user, error=str(error))
                await self._publish(SessionState.CONNECTING, str(error))
                pause = min(pause * 2, _BACKOFF[1])
            finally:
                await tenure.release()
            await self._stand_by(pause)
        await self._publish(SessionState.DISCONNECTED)

    def hand_over(self) -> None:
        """Give it up to the gateway it falls to, as soon as no order is being sent; that one follows what is open."""
        self._leaving = True
        self.woken.set()

    def link_changed(self, up: bool) -> None:
        if up:
            _reconnects.inc()
        self._link_up, self._reconcile = up, True
        self.woken.set()

    def refused(self) -> None:
        self._refused = True
        self.woken.set()

    def balances_changed(self, balances: tuple[Balance, ...]) -> None:
        self._balances = Balances(user=self._user, at=self._bus.clock.now(), balances=balances)
        self._balances_fresh = True
        self.woken.set()

    def position_changed(self, position: BrokerPosition) -> None:
        if self._positions.full():
            self._reconcile = True
        else:
            self._positions.put_nowait(position)
        self.woken.set()

    def _account(self) -> str:
        """The broker user to be: the one that is wanted, but first any other that still owes us a settlement."""
        desired = self._wanted()
        wanted = desired.broker_user_id if desired else ""
        owing = {record.broker_user_id for record in self._unsettled() if record.broker_user_id}
        return min(owing - {wanted}, default=wanted)

    async def _hold(self, tenure: Tenure, account: str) -> None:
        self._refused = self._leaving = False
        self._published = None  # another gateway may have told something else since
        self._fresh_since = self._freshness(account)
        connection = self._connect(account, self, self._fresh_since)
        async with AsyncExitStack() as stack:
            stack.callback(self._let_go)
            self.holds = True
            _sessions.inc()
            stack.push_async_callback(connection.close)
            await connection.open()
            self._link_up = self._reconcile = True
            records = Records(self._user, self._bus, account)
            desk = OrderDesk(records, connection, tenure, lambda: self._balances, self._bus.clock, self._grace)
            serving: AsyncExitStack | None = None
            try:
                while self._stays(tenure, account):
                    self.woken.clear()
                    serving = await self._serve(desk, account, serving)
                    await self._work(desk, account)
                    await self._wait()
                if self._outdated(account):
                    await self._report(account)
            finally:
                # Whatever is being sent is answered first: the connection is closed after that.
                if serving is not None:
                    await serving.aclose()
        if self._refused:
            raise AuthenticationRefused("the broker refuses this user's session")

    def _stays(self, tenure: Tenure, account: str) -> bool:
        leaves = self._leaving and self._rank() > 0 and not self._sending()
        stays = self.needed and self._account() == account and tenure.held and not self._refused and not leaves
        return stays and not self._outdated(account)

    def _freshness(self, account: str) -> datetime | None:
        """What the user asks of the session id of this account."""
        desired = self._wanted()
        return desired.fresh_since if desired is not None and desired.broker_user_id == account else None

    def _outdated(self, account: str) -> bool:
        """Whether the user asked for a fresh session since this one was opened."""
        wanted = self._freshness(account) if self._wants(account) else None
        return wanted is not None and (self._fresh_since is None or wanted > self._fresh_since)

    def _sending(self) -> bool:
        return any(record.position is None for record in self._unsettled())

    def _let_go(self) -> None:
        self.holds = False
        _sessions.dec()

    async def _serve(self, desk: OrderDesk, account: str, serving: AsyncExitStack | None) -> AsyncExitStack | None:
        """New orders are taken while the user wants this session; what is unsettled is followed regardless."""
        takes = self._wants(account) and self._link_up
        if takes and serving is None:
            serving = AsyncExitStack()
            verbs = (SUBMIT_ORDER, SELL_ORDER, SETTLE, BOOKS)
            order, sell, settle, books = (subjects.session_rpc(self._user, verb.name) for verb in verbs)
            serving.push_async_callback((await self._bus.serve_on(order, SUBMIT_ORDER, desk.submit)).stop)
            serving.push_async_callback((await self._bus.serve_on(sell, SELL_ORDER, desk.sell)).stop)
            serving.push_async_callback((await self._bus.serve_on(settle, SETTLE, desk.settle)).stop)
            serving.push_async_callback((await self._bus.serve_on(books, BOOKS, desk.books)).stop)
        elif not takes and serving is not None:
            await serving.aclose()
            serving = None
        return serving

    def _wants(self, account: str) -> bool:
        desired = self._wanted()
        return desired is not None and desired.connected and desired.broker_user_id == account

    async def _work(self, desk: OrderDesk, account: str) -> None:
        if self._balances_fresh and self._balances is not None and self._wants(account):
            self._balances_fresh = False
            await self._accounts.put(keys.balance(self._user), self._balances)
        await self._report(account)
        while not self._positions.empty():
            await self._attempt(partial(desk.position_changed, self._positions.get_nowait()))
        unsettled = [record for record in self._unsettled() if record.broker_user_id in ("", account)]
        if self._link_up and (self._reconcile or self._overdue(unsettled, desk.brokers_time)):
            self._reconcile = False
            await self._attempt(partial(desk.reconcile, unsettled))

    def _overdue(self, unsettled: list[OrderRecord], brokers_time: datetime) -> bool:
        """Whether something should be known by now: the broker's books are not read for what simply runs."""
        now = brokers_time - _LATE
        return any(
            record.position is None or record.position.expiry < now or self._sold_lately(record) for record in unsettled
        )

    def _sold_lately(self, record: OrderRecord) -> bool:
        return record.sale_sent_at is not None and _LATE < self._bus.clock.now() - record.sale_sent_at < _SALE

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        """What fails now is done by the next reconciliation, from the records and the broker's books."""
        try:
            await work()
        except (BusError, BrokerUnavailable, OrderGone) as error:
            self._reconcile = True
            log.warning("order_work_postponed", user=self._user, error=str(error))

    async def _report(self, account: str) -> None:
        desired = self._wanted()
        if desired is None or not desired.connected:
            await self._publish(SessionState.DISCONNECTED)
        elif desired.broker_user_id != account:
            await self._publish(SessionState.CONNECTING, "orders of the account before are still to be settled")
        elif self._outdated(account):
            await self._publish(SessionState.CONNECTING, "a fresh session was asked for")
        elif self._link_up:
            await self._publish(SessionState.CONNECTED)
        else:
            await self._publish(SessionState.CONNECTING, "connection to the broker lost")

    async def _publish(self, state: SessionState, reason: str = "") -> None:
        status = SessionStatus(
            user=self._user,
            at=self._bus.clock.now(),
            state=state,
            request=self._request(),
            reason=reason,
        )
        known = self._published
        if known and (known.state, known.request, known.reason) == (state, status.request, reason):
            return
        try:
            await self._accounts.put(keys.session(self._user), status)
            self._published = status
            log.info("session_state", user=self._user, state=state, reason=reason)
        except BusError as error:
            log.warning("session_state_not_published", user=self._user, error=str(error))

    async def _until_asked_anew(self, reason: str) -> None:
        """The broker will go on refusing, so nothing is tried until the user connects anew; but as long as an order is
        unsettled, now and then all the same."""
        await self._report_loss(reason)
        await self._publish(SessionState.FAILED, reason)
        refused = self._request()
        until = self._bus.clock.monotonic() + _BACKOFF[1]
        while self.needed and self._request() == refused:
            if self._unsettled() and self._bus.clock.monotonic() > until:
                return
            self.woken.clear()
            await self._wait()

    async def _report_loss(self, reason: str) -> None:
        """A session that was there, or that orders wait for; a wrong id that was typed concerns its user alone."""
        if self._published is not None or self._unsettled():
            severity = Severity.CRITICAL if self._unsettled() else Severity.WARNING
            message = f"the broker no longer accepts the user's session: {reason}"
            # While an order is unsettled it is tried again and again: that is one alert, told anew every ten minutes.
            identity = f"{self._user}.session_refused.{severity}"
            await try_alarm(self._bus, severity, "session_refused", message, id=identity, user=self._user)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SWEEP):
                await self.woken.wait()

    async def _stand_by(self, pause: float) -> None:
        """Between tries; cut short when the user asks for something else, or other gateways come before this one.

        Not by the user's orders: whoever hands over a session would take it back before the other one tries.
        """
        circumstances = self._request(), self._rank()
        until = self._bus.clock.monotonic() + pause + self._rank() * _STAND_BY
        while self.needed and (self._request(), self._rank()) == circumstances:
            left = until - self._bus.clock.monotonic()
            if left <= 0:
                return
            self.woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self.woken.wait()

    def _request(self) -> str:
        desired = self._wanted()
        return desired.id if desired else ""
