"""Sending one user's orders over one broker session, and following them until they are settled."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from prometheus_client import Histogram

from libs.bus import BusError, Entry, tracing
from libs.contracts.account import Balances
from libs.contracts.clock import Clock
from libs.contracts.orders import OptionKind, Order, OrderRecord, OrderState, Position, RejectCode
from libs.contracts.rpc import (
    BookedTrade,
    Books,
    BooksQuery,
    ErrorCode,
    OfUser,
    RpcError,
    SellOrder,
    Settled,
    SubmitOrder,
)
from services.broker_gateway.broker import (
    Broker,
    BrokerPosition,
    BrokerUnavailable,
    NotOffered,
    NotSent,
    Offer,
    PositionKey,
    Refused,
    Unanswered,
)
from services.broker_gateway.reconcile import Verdict, judge
from services.broker_gateway.records import OrderGone, Records
from services.broker_gateway.tenure import Right

log = structlog.get_logger()

_EARLY = 256
"""Positions remembered before their order is known, or while what they tell cannot be stored; the oldest are forgotten
and found again by reconciling, if the broker lists them."""
_LOOK_BACK = timedelta(minutes=1)

_latency = Histogram(
    "pregao_order_seconds",
    "From sending an order to the broker's answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


class _Denied(Exception):
    """By us: nothing is sent."""

    def __init__(self, code: RejectCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class OrderDesk:
    def __init__(
        self,
        records: Records,
        broker: Broker,
        right: Right,
        balances: Callable[[], Balances | None],
        clock: Clock,
        grace: timedelta,
    ) -> None:
        self._records = records
        self._broker = broker
        self._right = right
        self._balances = balances
        self._clock = clock
        self._grace = grace
        self._in_hand: Counter[str] = Counter()
        """How many submissions of an order are being answered."""
        self._confirmed: dict[str, Position] = {}
        """Answered by the broker and not stored yet."""
        self._owner: dict[PositionKey, str] = {}
        self._early: OrderedDict[PositionKey, BrokerPosition] = OrderedDict()
        self._reconciling = asyncio.Lock()

    @property
    def brokers_time(self) -> datetime:
        return self._broker.now()

    async def submit(self, request: SubmitOrder) -> OrderRecord:
        """Send an intended order, or answer what became of it. Raises RpcError.

        TIMEOUT: what became of it will be told by a trade event; it must not be decided anew.
        """
        order_id = request.order_id
        self._in_hand[order_id] += 1
        try:
            entry = await self._records.read(order_id)
            if entry.value.state is not OrderState.INTENDED:
                return entry.value
            return await self._send(entry)
        except OrderGone:
            raise RpcError(ErrorCode.NOT_FOUND, f"no order {order_id}") from None
        except BusError as error:
            raise RpcError(ErrorCode.TIMEOUT, f"the outcome could not be stored yet: {error}") from error
        finally:
            self._in_hand[order_id] -= 1
            if not self._in_hand[order_id]:
                del self._in_hand[order_id]

    async def sell(self, request: SellOrder) -> OrderRecord:
        """Sell what an order bought, or answer what became of it before. Raises RpcError.

        The answer is the record as it stands; the closing is told by a trade event. TIMEOUT: whether it was sold will
        be told so, too.
        """
        try:
            return await self._sell(request.order_id)
        except OrderGone:
            raise RpcError(ErrorCode.NOT_FOUND, f"no order {request.order_id}") from None
        except BusError as error:
            raise RpcError(ErrorCode.TIMEOUT, f"the record cannot be read or written now: {error}") from error

    async def settle(self, _request: OfUser) -> Settled:
        """Ask the broker now what became of whatever has no result. Raises RpcError. Asking again is harmless."""
        try:
            pending = await self._records.pending()
            await self.reconcile(pending)
            now = [(await self._records.read(record.order.order_id)).value for record in pending]
        except BrokerUnavailable as error:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, str(error)) from error
        except (BusError, OrderGone) as error:
            raise RpcError(ErrorCode.TIMEOUT, f"what became of them cannot be stored or read now: {error}") from error
        closed = sum(record.state is OrderState.CLOSED for record in now)
        return Settled(total=len(pending), closed=closed)

    async def books(self, query: BooksQuery) -> Books:
        """What the broker's books say now of orders whose position is known. Raises RpcError."""
        try:
            records = (await self._records.booked(query.since))[: query.limit]
            if not records:
                return Books(trades=())
            listed = await self._broker.positions(min(_sent_at(record) for record in records) - _LOOK_BACK)
        except BrokerUnavailable as error:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, str(error)) from error
        except BusError as error:
            raise RpcError(ErrorCode.UNAVAILABLE, f"the records cannot be read now: {error}") from error
        books = {position.key: position for position in listed}
        return Books(trades=tuple(trade for record in records for trade in self._booked(record, books)))

    async def position_changed(self, position: BrokerPosition) -> None:
        """Anything the broker says of a position of this user; repetitions and positions of others are harmless.

        Raises BusError; the next `reconcile` does what could not be done.
        """
        # Remembered until it is stored: what is told need not be in any list later.
        self._early[position.key] = position
        while len(self._early) > _EARLY:
            self._early.popitem(last=False)
        order_id = self._owner.get(position.key)
        if order_id is not None:
            await self._close(order_id, position)
            self._forget(position)

    async def reconcile(self, unsettled: Iterable[OrderRecord]) -> None:
        """Compare unsettled records with the broker's books. Raises BrokerUnavailable, BusError.

        Start path and recovery path: called with every new connection, and again while something is unsettled, or when
        the user asks. The books are read once at a time.
        """
        async with self._reconciling:
            await self._reconcile(unsettled)

    async def _reconcile(self, unsettled: Iterable[OrderRecord]) -> None:
        records = [record for record in unsettled if record.order.order_id not in self._in_hand]
        for record in records:
            if record.state is OrderState.INTENDED:
                with suppress(OrderGone):
                    await self._records.expire(record.order.order_id)
        sent = [record for record in records if record.sent_at is not None]
        if not sent:
            return
        for record in sent:
            if record.position is not None:
                # What is told of it counts, also if the books cannot be read.
                await self._follow(record.order.order_id, _key(record.order, record.position), ())
        listed_at, brokers_time = self._clock.now(), self._broker.now()
        try:
            listed = await self._broker.positions(min(_sent_at(record) for record in sent) - _LOOK_BACK)
        except BrokerUnavailable as error:
            await self._report_overdue(sent, brokers_time, str(error))
            raise
        # What was told and is in no list is there all the same (field-notes §C1).
        books = list((self._early | {position.key: position for position in listed}).values())
        for record in sent:
            with suppress(OrderGone):
                await self._catch_up(record, books, listed_at)
                if record.position is not None:
                    await self._doubt(record.order.order_id, record.position, brokers_time)

    async def _catch_up(self, record: OrderRecord, books: list[BrokerPosition], listed_at: datetime) -> None:
        if record.position is not None:
            await self._follow(record.order.order_id, _key(record.order, record.position), books)
        elif record.order.order_id in self._confirmed:
            await self._confirm(record.order.order_id, books)
        elif record.state is OrderState.SENDING:
            await self._decide(record, books, listed_at)

    async def _send(self, entry: Entry[OrderRecord]) -> OrderRecord:
        order = entry.value.order
        balances = self._balances()
        balance = balances.of(order.account_type) if balances else None
        claimed = await self._records.claim(entry, balance.id if balance else None, self._broker.now())
        if claimed is None:
            return (await self._records.read(order.order_id)).value
        if balance is None:
            reason = f"there is no {order.account_type} balance"
            return await self._records.reject(order.order_id, RejectCode.NO_BALANCE, reason)
        try:
            offer = await self._offer(order)
            # From here to the send nothing is awaited: what is checked now still holds then.
            self._allow(order, offer)
            asked = self._clock.monotonic()
            with tracing.span("send to the broker", order=order.order_id):
                position = await self._broker.buy(order, balance.id, offer)
        except _Denied as denial:
            return await self._records.reject(order.order_id, denial.code, denial.reason)
        except (NotSent, BrokerUnavailable) as error:
            return await self._records.reject(order.order_id, RejectCode.NO_SESSION, str(error))
        except (NotOffered, Refused) as error:
            return await self._records.reject(order.order_id, RejectCode.REFUSED, str(error))
        except Unanswered as error:
            log.warning("order_unanswered", order_id=order.order_id, error=str(error))
            return claimed
        _latency.observe(self._clock.monotonic() - asked)
        self._confirmed[order.order_id] = position
        return await self._confirm(order.order_id, ())

    async def _offer(self, order: Order) -> Offer:
        """Raises _Denied, NotOffered, BrokerUnavailable."""
        offer = await self._broker.offer(order)
        if offer.payout < order.min_payout:
            reason = f"{order.ticker} pays {offer.payout} % now, less than {order.min_payout} %"
            raise _Denied(RejectCode.PAYOUT_TOO_LOW, reason)
        return offer

    def _allow(self, order: Order, offer: Offer) -> None:
        """In time, and ours to send? Raises _Denied."""
        if self._clock.now() >= order.expires_at:
            raise _Denied(RejectCode.EXPIRED, "not sent in time")
        if offer.closes_at is not None and self._broker.now() >= offer.closes_at:
            raise _Denied(RejectCode.EXPIRED, "too late for this expiration")
        if not self._right.held:
            raise _Denied(RejectCode.NO_SESSION, "this gateway no longer holds the session")

    async def _sell(self, order_id: str) -> OrderRecord:
        record = (await self._records.read(order_id)).value
        if record.order.option is OptionKind.BLITZ:
            raise RpcError(ErrorCode.NOT_SELLABLE, "blitz options cannot be sold before they expire")
        if record.state.final or record.sale_sent_at is not None:
            return record
        if record.position is None:
            raise RpcError(ErrorCode.NOT_OPEN, f"order {order_id} has no open position")
        claimed = await self._records.claim_sale(order_id)
        if claimed is None:
            return (await self._records.read(order_id)).value
        if not self._right.held:
            await self._records.release_sale(claimed)
            raise RpcError(ErrorCode.UNAVAILABLE, "this gateway no longer holds the session")
        try:
            await self._broker.sell(record.order.option, record.position.position_id)
        except NotSent as error:
            await self._records.release_sale(claimed)
            raise RpcError(ErrorCode.UNAVAILABLE, str(error)) from error
        except Refused as error:
            await self._records.release_sale(claimed)
            raise RpcError(ErrorCode.BROKER_REFUSED, str(error)) from error
        except Unanswered as error:
            log.warning("sale_unanswered", order_id=order_id, error=str(error))
            raise RpcError(ErrorCode.TIMEOUT, "the broker did not answer; the sale is not sent again") from error
        return (await self._records.read(order_id)).value

    async def _confirm(self, order_id: str, books: Iterable[BrokerPosition]) -> OrderRecord:
        position = self._confirmed[order_id]
        if not self._right.held:
            known = (await self._records.read(order_id)).value
            if _key(known.order, position) in await self._records.linked(order_id):
                # The gateway that took over has given it to an order that is like this one.
                del self._confirmed[order_id]
                return known
        record = await self._records.open(order_id, position)
        del self._confirmed[order_id]
        await self._follow(order_id, _key(record.order, position), books)
        return record

    def _booked(self, record: OrderRecord, books: Mapping[PositionKey, BrokerPosition]) -> Iterator[BookedTrade]:
        """None of what has no position."""
        if record.position is not None:
            there = books.get(_key(record.order, record.position))
            listable = record.order.option is not OptionKind.DIGITAL and self._records.own(record)
            yield BookedTrade(
                order=record.order,
                position=record.position,
                settlement=(there and there.settlement) or record.settlement,
                missing=there is None and listable,
                updated_at=record.updated_at,
            )

    async def _decide(self, record: OrderRecord, books: list[BrokerPosition], listed_at: datetime) -> None:
        if self._in_hand or self._confirmed:
            return  # a position in these books may be the one of an order that waits for its answer, or to be stored
        order_id = record.order.order_id
        if record.balance_id is None:
            await self._records.reject(order_id, RejectCode.EXPIRED, "claimed, but never sent")
            return
        judgement = judge(record, books, await self._records.linked(order_id), listed_at, self._grace)
        if judgement.position is not None:
            await self._records.open(order_id, judgement.position.position)
            await self._follow(order_id, judgement.position.key, books)
        elif judgement.verdict is Verdict.NOT_BOOKED:
            reason = "the broker did not answer and has not booked it"
            await self._records.reject(order_id, RejectCode.NOT_BOOKED, reason)
        elif judgement.verdict is Verdict.UNDECIDED:
            reason = "sent, unanswered, and the broker's books do not tell which position it is"
            await self._records.give_up(order_id, OrderState.SENDING, reason)

    async def _doubt(self, order_id: str, position: Position, brokers_time: datetime) -> None:
        """Some results never come (field-notes §C1). The books were complete at `brokers_time`, and did not tell."""
        if brokers_time > position.expiry + self._grace:
            reason = "it has expired, and the broker's books do not tell with which result"
            await self._records.give_up(order_id, OrderState.OPENED, reason)

    async def _report_overdue(self, sent: Iterable[OrderRecord], brokers_time: datetime, problem: str) -> None:
        """The books that should tell of them by now cannot be read: nobody but an operator can do anything."""
        for record in sent:
            due = record.position.expiry if record.position is not None else record.order.expires_at
            if brokers_time > due + self._grace:
                await self._records.report(record, f"the broker's books cannot be read: {problem}")

    async def _follow(self, order_id: str, key: PositionKey, books: Iterable[BrokerPosition]) -> None:
        """Its events are this order's from now on; what is known of it already is applied."""
        self._owner[key] = order_id
        early = self._early.get(key)
        for known in (*books, *([early] if early else [])):
            if known.key == key:
                await self._close(order_id, known)
        if early is not None:
            self._forget(early)

    def _forget(self, early: BrokerPosition) -> None:
        """Unless something newer was told meanwhile."""
        if self._early.get(early.key) is early:
            del self._early[early.key]

    async def _close(self, order_id: str, position: BrokerPosition) -> None:
        if position.settlement is not None:
            await self._records.close(order_id, position.position, position.settlement)
            self._owner.pop(position.key, None)


def _key(order: Order, position: Position) -> PositionKey:
    return order.option, position.position_id


def _sent_at(record: OrderRecord) -> datetime:
    """As the broker's clock had it."""
    return record.broker_sent_at or record.sent_at or record.order.at
