"""A connection to the broker that keeps itself alive."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self, TypeVar

import structlog

from libs.contracts.clock import Clock
from libs.quadcode.actives import Actives
from libs.quadcode.backoff import Backoff, Jitter
from libs.quadcode.balances import BalanceList
from libs.quadcode.callbacks import Callbacks, call
from libs.quadcode.candle_repairs import Repairs
from libs.quadcode.candle_series import LIMIT, CandleSeries
from libs.quadcode.candles import Candle, Candles
from libs.quadcode.chats import Chats
from libs.quadcode.currencies import Currencies
from libs.quadcode.declarations import Call, Filters, Listener, Topic
from libs.quadcode.digital import DigitalOptions
from libs.quadcode.errors import AuthenticationFailed, NotConnected, QuadcodeError
from libs.quadcode.exchange_rates import ExchangeRates
from libs.quadcode.features import Features
from libs.quadcode.frames import Result
from libs.quadcode.incoming import Incoming
from libs.quadcode.link import Link
from libs.quadcode.login import Login, LoginRefused
from libs.quadcode.margin import Margin
from libs.quadcode.margin_balances import MarginBalances
from libs.quadcode.margin_instruments import MarginKind
from libs.quadcode.offer_book import EVERY, OfferBook, OfferChange
from libs.quadcode.options import Options
from libs.quadcode.orders import Orders
from libs.quadcode.positions import Positions
from libs.quadcode.profile import Profile
from libs.quadcode.quotes import Quotes
from libs.quadcode.routes import Routes
from libs.quadcode.server_clock import ServerClock
from libs.quadcode.session_ids import SessionIds
from libs.quadcode.standing import Kept, Standing
from libs.quadcode.subscriptions import Listening, Subscriptions

B = TypeVar("B")
R = TypeVar("R")
E = TypeVar("E")

log = structlog.get_logger()

_GRACE = 5.0
"""Seconds a graceful end waits for answers (§3.12)."""


class ConnectionState(StrEnum):
    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    AUTHENTICATION_FAILED = "authenticationFailed"
    """Final."""


class Client:
    """`async with Client(...) as client`, or `start` and `wait_connected`; one asyncio loop, no threads.

    It reconnects by itself, and subscriptions are held over reconnects. `on_state` is told of every change, after all
    subscriptions were renewed: whatever is asked for then misses nothing that is pushed later.
    """

    def __init__(
        self,
        url: str,
        session_ids: SessionIds,
        *,
        clock: Clock,
        jitter: Jitter,
        platform: int = 82,
        timeout: float = 10.0,
        silence: float = 30.0,
        on_state: Callable[[ConnectionState], None] | None = None,
    ) -> None:
        """`timeout`: seconds per request; `silence`: seconds without `timeSync` after which the connection is dropped;
        `jitter`: random numbers in [0, 1)."""
        self.clock = ServerClock(clock)
        self.state = ConnectionState.DISCONNECTED
        self.failure: QuadcodeError | None = None
        """Why the last try to connect failed, or the connection was lost."""
        self.connections = 0
        """How many were made so far; all but the first are reconnects."""
        self._url = url
        self._platform = platform
        self._timeout = timeout
        self._silence = silence
        self._on_state = on_state
        self._ids = itertools.count(1)
        self._routes = Routes()
        self._caught_up = Callbacks()
        self._subscriptions = Subscriptions(self._routes, jitter, self._caught_up.call)
        self._standing = Standing(jitter, self._caught_up.call)
        self._incoming = Incoming(self.clock, self._routes)
        self._features = Features()
        self._login = Login(session_ids, self._features)
        self._jitter = jitter
        self._backoff = Backoff(first=0.1, cap=10.0, spread=1.0, jitter=jitter)
        self._link: Link | None = None
        self._changed = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

        self.actives = Actives(self)
        self.balances = BalanceList(self)
        self.candles = Candles(self)
        self._repairs = Repairs(self.candles, jitter)
        self.chats = Chats(self)
        self.currencies = Currencies(self)
        self.digital = DigitalOptions(self)
        self.exchange_rates = ExchangeRates(self)
        self.margin_cfd = Margin(self, MarginKind.CFD)
        self.margin_crypto = Margin(self, MarginKind.CRYPTO)
        self.margin_forex = Margin(self, MarginKind.FOREX)
        self.margin_balances = MarginBalances(self)
        self.options = Options(self)
        self.orders = Orders(self)
        self.positions = Positions(self)
        self.quotes = Quotes(self)

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.wait_connected(self._timeout)
        except QuadcodeError:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def user_id(self) -> int:
        """The broker's id of the user. Raises NotConnected before the first connection."""
        if self.profile is None:
            raise NotConnected("not connected yet")
        return self.profile.user_id

    @property
    def profile(self) -> Profile | None:
        """None before the first connection."""
        return self._login.profile

    @property
    def malformed(self) -> int:
        """Frames dropped because they were not what the protocol says."""
        return self._incoming.malformed

    @property
    def renewals_failed(self) -> int:
        """How often the broker did not renew a subscription after a reconnect; it is asked for again until it does."""
        return self._subscriptions.renewals.failures + self._standing.renewals.failures

    def available(self, feature: str) -> bool:
        """Whether the broker offers it (`libs.quadcode.features` has the names), as it said at the last login."""
        return self._features.available(feature)

    def start(self) -> None:
        """Connect, and stay connected until `close`."""
        self._supervisor = asyncio.create_task(self._supervise(), name="quadcode:supervisor")

    async def wait_connected(self, timeout: float) -> None:
        """Raises AuthenticationFailed at once when that is final, else NotConnected when the time is over."""
        try:
            async with asyncio.timeout(timeout):
                while not self._usable:
                    if self.state is ConnectionState.AUTHENTICATION_FAILED:
                        raise AuthenticationFailed(str(self.failure))
                    await self._changed.wait()
        except TimeoutError as error:
            raise NotConnected(f"no connection within {timeout:g} s: {self.failure}") from error

    async def close(self) -> None:
        """Wait up to 5 s for outstanding answers, then end for good."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        link, self._link = self._link, None
        self._detach()
        if link is not None:
            await link.close(_GRACE)
        self._become(ConnectionState.DISCONNECTED)

    async def request(self, call: Call[B, R], body: B, timeout: float | None = None) -> R:
        """Sent before anything is awaited. Raises NotConnected (nothing was sent) or RequestFailed."""
        return await self._connected_link().call(call, body, timeout)

    async def subscribe(self, topic: Topic[E], filters: Filters, listener: Listener[E]) -> Listening[E]:
        """Held until stopped, over every reconnect; `listener` is called by the reader. Raises RequestFailed."""
        return await self._subscriptions.add(topic, filters, listener)

    def series(self, active_id: int, size: int, listener: Listener[Candle], limit: int = LIMIT) -> CandleSeries:
        """The candles of an active, followed and without holes: `async with client.series(76, 60, listener)`.

        `size` in seconds; at most `limit` candles are held.
        """
        return CandleSeries(self, self.candles, self._repairs, active_id, size, listener, limit)

    def offer_book(self, listener: Listener[Sequence[OfferChange]], every: float = EVERY) -> OfferBook:
        """The options on offer, read every `every` seconds: `async with client.offer_book(listener) as book`."""
        return OfferBook(self, self.options, self._jitter, listener, every)

    async def keep(self, call: Call[B, Result], body: B) -> Kept:
        """A request that asks for events: made now and again on every connection. Raises RequestFailed."""
        return await self._standing.add(call, body)

    def when_connected(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Called after every new connection, when subscriptions were renewed, and again when one was renewed late.

        Whatever was pushed before is to be asked for. Returns what ends that.
        """
        return self._caught_up.add(callback)

    def reset(self, reason: str) -> None:
        """Drop the connection; a new one is made."""
        if self._link is not None:
            self._link.abort(reason)

    @property
    def _usable(self) -> bool:
        """The state follows a lost connection a moment later."""
        link = self._link
        return self.state is ConnectionState.CONNECTED and link is not None and not link.lost.is_set()

    def _connected_link(self) -> Link:
        if self.state is ConnectionState.AUTHENTICATION_FAILED:
            raise AuthenticationFailed(str(self.failure))
        if self._link is None or self.state is not ConnectionState.CONNECTED:
            raise NotConnected("there is no connection to the broker now")
        return self._link

    async def _supervise(self) -> None:
        while True:
            try:
                await self._connect()
            except AuthenticationFailed as failure:
                self._give_up(failure)
                return
            except LoginRefused as failure:
                if self._login.hopeless:
                    self._give_up(AuthenticationFailed(str(failure)))
                    return
                self.failure = failure
            except QuadcodeError as failure:
                self._login.forgive()
                self.failure = failure
            else:
                await self._live()
            delay = self._backoff.next()
            log.info("broker_reconnecting", delay=round(delay, 3), problem=str(self.failure))
            await asyncio.sleep(delay)

    async def _connect(self) -> None:
        session_id = await self._login.session_id()
        link = await Link.open(self._url, self._platform, self._ids, self._timeout, self._incoming)
        try:
            await self._login.perform(link, session_id)
            await self._subscriptions.attach(link)
            await self._standing.attach(link)
        except BaseException:
            self._detach()
            link.abort("the login did not succeed")
            await link.lost.wait()
            raise
        self._link = link
        self.connections += 1
        self.clock.connected()
        self._backoff.reset()
        self._become(ConnectionState.CONNECTED)
        self._caught_up.call()

    async def _live(self) -> None:
        """Until the connection is lost."""
        link = self._link
        while link is not None and not link.lost.is_set():
            try:
                async with asyncio.timeout(self._silence / 3):
                    await link.lost.wait()
            except TimeoutError:
                if self.clock.silence > self._silence:
                    link.abort(f"the broker was silent for {self._silence:g} s")
        self._detach()
        self._link = None
        self.failure = NotConnected(link.reason if link is not None else "closed")
        self._become(ConnectionState.DISCONNECTED)

    def _detach(self) -> None:
        self._subscriptions.detach()
        self._standing.detach()

    def _give_up(self, failure: AuthenticationFailed) -> None:
        self.failure = failure
        log.error("broker_refuses_session", problem=str(failure))
        self._become(ConnectionState.AUTHENTICATION_FAILED)

    def _become(self, state: ConnectionState) -> None:
        if state is self.state:
            return
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
        if self._on_state is not None:
            on_state = self._on_state
            call(lambda: on_state(state))
