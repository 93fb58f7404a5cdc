"""Quadcode-platform brokers, fitted to the gateway's port."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal

import structlog
from msgspec.structs import replace

from libs.contracts.account import AccountType, Balance
from libs.contracts.clock import Clock
from libs.contracts.orders import Direction, OptionKind, Order, Position, Settlement
from libs.quadcode.balances import Balance as QuadcodeBalance
from libs.quadcode.balances import BalanceChanged, BalanceType
from libs.quadcode.client import Client, ConnectionState
from libs.quadcode.epoch import seconds
from libs.quadcode.errors import (
    AuthenticationFailed,
    FeatureDisabled,
    NotConnected,
    OrderOutcomeUnknown,
    OrderRejected,
    QuadcodeError,
)
from libs.quadcode.options import OpenOption, OptionDirection, OptionType
from libs.quadcode.positions import CloseReason, InstrumentType
from libs.quadcode.positions import Position as QuadcodePosition
from services.broker_gateway.broker import (
    AuthenticationRefused,
    BrokerPosition,
    BrokerUnavailable,
    Listener,
    NotOffered,
    NotSent,
    Offer,
    Refused,
    Unanswered,
)
from services.broker_gateway.quadcode_digital import QuadcodeDigital
from services.broker_gateway.quadcode_offers import offered
from services.broker_gateway.ssid import SessionIds

log = structlog.get_logger()

OPEN_TIMEOUT = 8.0
_MIN_STAKES = 2.0
"""Seconds for them: a session is not held up by what it can do without."""
_KINDS = {
    InstrumentType.BLITZ_OPTION: OptionKind.BLITZ,
    InstrumentType.TURBO_OPTION: OptionKind.TURBO,
    InstrumentType.BINARY_OPTION: OptionKind.BINARY,
    InstrumentType.DIGITAL_OPTION: OptionKind.DIGITAL,
}
_BY_NAME = {str(name): kind for name, kind in _KINDS.items()}
_SOLD = {OptionKind.DIGITAL: CloseReason.DEFAULT}
"""Why a position is closed that was sold; of all other kinds it is `sold`."""
_TYPES = {OptionKind.TURBO: OptionType.TURBO, OptionKind.BINARY: OptionType.BINARY}
_DIRECTIONS = tuple(Direction)
_ACCOUNT_TYPES = {int(BalanceType.REAL): AccountType.REAL, int(BalanceType.DEMO): AccountType.DEMO}

Dial = Callable[["Credentials", Callable[[ConnectionState], None]], Client]
"""Makes a client that has not been started."""


class Credentials:
    """One broker user's session ids, as the client asks for them."""

    def __init__(self, ids: SessionIds, broker_user_id: str, since: datetime | None = None) -> None:
        """`since`: no id that was issued before."""
        self._ids = ids
        self._since = since
        self.broker_user_id = broker_user_id

    def use(self, renewed: Callable[[], None]) -> None:
        """They are renewed in time, which is told, until `leave`."""
        self._ids.use(self.broker_user_id, renewed)

    def leave(self, renewed: Callable[[], None]) -> None:
        self._ids.leave(self.broker_user_id, renewed)

    async def session_id(self, refused: str | None) -> str:
        if refused is not None:
            self._ids.forget(self.broker_user_id, refused)
        try:
            return await self._ids.get(self.broker_user_id, self._since)
        except AuthenticationRefused as error:
            raise AuthenticationFailed(str(error)) from error
        except BrokerUnavailable as error:
            raise NotConnected(str(error)) from error


async def start(client: Client, broker_user_id: str) -> None:
    """Connect a new client; it is closed again if that fails, or if the session is somebody else's.

    Raises AuthenticationRefused, BrokerUnavailable.
    """
    client.start()
    try:
        await client.wait_connected(OPEN_TIMEOUT)
    except AuthenticationFailed as error:
        await client.close()
        raise AuthenticationRefused(str(error)) from error
    except NotConnected as error:
        await client.close()
        raise BrokerUnavailable(str(error)) from error
    if str(client.user_id) != broker_user_id:
        await client.close()
        raise AuthenticationRefused(f"the session is of broker user {client.user_id}, not of {broker_user_id}")


class QuadcodeConnection:
    """A user's session: balances, orders, positions."""

    def __init__(
        self, dial: Dial, credentials: Credentials, listener: Listener, payout: Callable[[int], int | None]
    ) -> None:
        """`payout(active_id)`: percent the broker offers now; None when it offers no blitz options on it."""
        self._client = dial(credentials, self._state_changed)
        self._credentials = credentials
        self._digital = QuadcodeDigital(self._client)
        self._listener = listener
        self._payout = payout
        self._balances: dict[int, QuadcodeBalance] = {}
        self._min_stakes: dict[str, Decimal | None] = {}
        """By currency."""
        self._opened = False
        self._buying = 0
        self._renewed = False
        self._refreshing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await start(self._client, self._credentials.broker_user_id)
        try:
            await self._client.positions.watch(self._position_changed)
            await self._client.balances.watch(self._balance_changed)
            await self._refresh()
        except QuadcodeError as error:
            await self._client.close()
            raise BrokerUnavailable(str(error)) from error
        self._client.when_connected(self._caught_up)
        self._opened = True
        self._credentials.use(self._session_renewed)

    async def close(self) -> None:
        self._credentials.leave(self._session_renewed)
        self._opened = False
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self._client.close()

    def now(self) -> datetime:
        return self._client.clock.now()

    async def offer(self, order: Order) -> Offer:
        """A blitz order that takes any payout is not kept waiting: the catalogue tells what it is likely to be."""
        if order.option is OptionKind.BLITZ and not order.min_payout:
            payout = self._payout(order.active_id)
            if payout is None:
                raise NotOffered(f"{order.ticker} is not on offer")
            return Offer(payout)
        try:
            if order.option is OptionKind.DIGITAL:
                return await self._digital.offer(order, self.now())
            offers = await self._client.options.offers()
        except FeatureDisabled as error:
            raise NotOffered(str(error)) from error
        except QuadcodeError as error:
            raise BrokerUnavailable(str(error)) from error
        return offered(order, offers, self.now())

    async def buy(self, order: Order, balance_id: int, offer: Offer) -> Position:
        async with self._placing():
            if order.option is OptionKind.DIGITAL:
                return _booked(await self._digital.buy(order, balance_id, offer))
            option = await self._client.options.open(_purchase(order, balance_id, offer.payout))
        return Position(
            position_id=option.id,
            balance_id=balance_id,
            opened_at=option.opened_at,
            expiry=option.expires_at,
            open_quote=option.value,
            payout=round(option.profit_income),
        )

    async def sell(self, option: OptionKind, position_id: int) -> None:
        async with self._placing():
            if option is OptionKind.DIGITAL:
                await self._client.digital.close(position_id)
            else:
                await self._client.options.sell([position_id])

    @asynccontextmanager
    async def _placing(self) -> AsyncIterator[None]:
        """What moves money goes out in here: its errors in the port's words, and no reconnecting meanwhile."""
        self._buying += 1
        try:
            yield
        except NotConnected as error:
            raise NotSent(str(error)) from error
        except OrderRejected as error:
            raise Refused(error.message) from error
        except FeatureDisabled as error:
            raise Refused(str(error)) from error
        except OrderOutcomeUnknown as error:
            raise Unanswered(str(error)) from error
        finally:
            self._buying -= 1
            self._reconnect_if_renewed()

    async def positions(self, since: datetime) -> list[BrokerPosition]:
        """Open ones are listed first: one that closes in between is then in the history, and cannot be in neither."""
        try:
            opened = await self._client.positions.open(tuple(_KINDS))
            closed = await self._client.positions.history(since, tuple(_KINDS))
        except QuadcodeError as error:
            raise BrokerUnavailable(str(error)) from error
        books = {position.key: position for position in (*opened, *closed)}
        return list(_read(books.values()))

    def _session_renewed(self) -> None:
        self._renewed = True
        self._reconnect_if_renewed()

    def _reconnect_if_renewed(self) -> None:
        """With the newer id, at a moment when no order waits for its answer: the broker would choose another."""
        if self._renewed and self._opened and not self._buying:
            self._renewed = False
            self._client.reset("the session id was renewed")

    def _state_changed(self, state: ConnectionState) -> None:
        if state is ConnectionState.AUTHENTICATION_FAILED:
            self._listener.refused()
        elif self._opened and state is ConnectionState.DISCONNECTED:
            self._digital.link_lost()
            self._listener.link_changed(up=False)

    def _caught_up(self) -> None:
        """On a new connection, or a subscription was renewed later than that: what was pushed before is missed."""
        if self._opened:
            self._refreshing = asyncio.create_task(self._refresh_quietly(), name="balances")
            self._listener.link_changed(up=True)

    async def _refresh(self) -> None:
        self._balances = {balance.id: balance for balance in await self._client.balances.all()}
        self._tell_balances()
        await self._learn_min_stakes()

    async def _learn_min_stakes(self) -> None:
        """Nothing depends on knowing them: the broker refuses what is too small."""
        unknown = {balance.currency for balance in self._balances.values()} - self._min_stakes.keys()
        with suppress(QuadcodeError, TimeoutError):
            async with asyncio.timeout(_MIN_STAKES):
                for currency in sorted(unknown):
                    self._min_stakes[currency] = (await self._client.currencies.get(currency)).min_deal_amount
        if unknown & self._min_stakes.keys():
            self._tell_balances()

    async def _refresh_quietly(self) -> None:
        """After a reconnect; if the link is lost again, the next one does it."""
        with suppress(QuadcodeError):
            await self._refresh()

    def _balance_changed(self, change: BalanceChanged) -> None:
        """Of a balance that was listed; a change does not repeat whether it is a margin balance (§8.2)."""
        changed = change.current_balance
        listed = self._balances.get(changed.id)
        if listed is not None:
            self._balances[changed.id] = replace(changed, is_marginal=listed.is_marginal)
            self._tell_balances()

    def _tell_balances(self) -> None:
        self._listener.balances_changed(
            tuple(
                Balance(
                    id=balance.id,
                    type=_ACCOUNT_TYPES[balance.type],
                    amount=balance.amount,
                    currency=balance.currency,
                    min_stake=self._min_stakes.get(balance.currency),
                )
                for balance in sorted(self._balances.values(), key=lambda balance: balance.id)
                if balance.type in _ACCOUNT_TYPES and not balance.is_marginal
            )
        )

    def _position_changed(self, position: QuadcodePosition) -> None:
        if position.instrument_type == InstrumentType.DIGITAL_OPTION:
            self._digital.position_changed(position)
        for known in _read([position]):
            self._listener.position_changed(known)


def _purchase(order: Order, balance_id: int, payout: int) -> OpenOption:
    direction = OptionDirection(order.direction)
    if order.expiration is None:
        return OpenOption.blitz(
            active_id=order.active_id,
            direction=direction,
            duration=order.duration,
            price=order.stake,
            balance_id=balance_id,
            profit_percent=payout,
        )
    return OpenOption.timed(
        kind=_TYPES[order.option],
        active_id=order.active_id,
        direction=direction,
        expires_at=seconds(order.expiration),
        price=order.stake,
        balance_id=balance_id,
        profit_percent=payout,
    )


def _read(positions: Iterable[QuadcodePosition]) -> Iterable[BrokerPosition]:
    """Options whose record tells direction and expiry; nothing else can be an order of ours."""
    for position in positions:
        kind, direction = _BY_NAME.get(position.instrument_type), _direction(position)
        if kind is None or direction not in _DIRECTIONS or position.expires_at is None:
            continue
        yield BrokerPosition(
            position=_booked(position),
            active_id=position.active_id,
            direction=Direction(direction),
            stake=position.invest,
            settlement=_settlement(kind, position),
            option=kind,
        )


def _direction(position: QuadcodePosition) -> str:
    """Empty when the record does not tell."""
    if position.digital is not None:
        return position.digital.instrument_dir
    return position.option.direction if position.option is not None else ""


def _booked(position: QuadcodePosition) -> Position:
    if position.expires_at is None:
        raise OrderOutcomeUnknown(f"position {position.external_id} does not tell when it expires")
    return Position(
        position_id=position.external_id,
        balance_id=position.user_balance_id,
        opened_at=position.opened_at,
        expiry=position.expires_at,
        open_quote=position.open_quote,
        payout=_payout(position),
    )


def _settlement(kind: OptionKind, position: QuadcodePosition) -> Settlement | None:
    profit = position.profit
    if profit is None:
        return None
    return Settlement(
        closed_at=position.closed_at or position.expires_at or position.opened_at,
        close_quote=position.close_quote,
        profit=profit,
        sold=position.close_reason == _SOLD.get(kind, CloseReason.SOLD),
    )


def _payout(position: QuadcodePosition) -> int:
    """From what a win pays out, stake included."""
    if not position.expected_profit or not position.invest:
        return 0
    return round((position.expected_profit / position.invest - 1) * Decimal(100))


def dialer(url: str, platform: int, clock: Clock, jitter: Callable[[], float]) -> Dial:
    def dial(credentials: Credentials, on_state: Callable[[ConnectionState], None]) -> Client:
        return Client(url, credentials, clock=clock, jitter=jitter, platform=platform, on_state=on_state)

    return dial
