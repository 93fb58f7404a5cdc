"""A whole paper broker in memory, with a clock that stands still until it is moved."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from pydantic import SecretStr

from services.paper_broker.accounts import Balance, BalanceType, Opening
from services.paper_broker.app import build
from services.paper_broker.broker import Broker
from services.paper_broker.dispatch import Dispatcher
from services.paper_broker.hub import Connection
from services.paper_broker.margin_instruments import instrument_id, kind_of, step
from services.paper_broker.margin_terms import PlaceOrder
from services.paper_broker.option_kinds import BLITZ
from services.paper_broker.options import OpenOption
from services.paper_broker.outbox import Outbox
from services.paper_broker.settings import Settings
from services.paper_broker.storage import IN_MEMORY, Storage

START = datetime(2026, 11, 24, 12, 0, 0, 100_000, tzinfo=UTC)
"""A Tuesday, 100 ms into a second."""
USER = 5150
OTHER_USER = 5151
EURUSD = 76
APPLE = 1938
"""Not OTC, so it has trading hours."""

Frame = dict[str, Any]


class HandClock:
    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime) -> None:
        self._now = now

    @property
    def second(self) -> int:
        return int(self._now.timestamp())


class Client:
    """One connection, without a network: what it gets is what would have been sent."""

    def __init__(self, broker: Broker) -> None:
        self.outbox = Outbox(self._never, lambda _: False)
        self.aborted = False
        self.connection = Connection(self.outbox, self._abort, broker.now())
        self._dispatcher = Dispatcher(broker)
        self._broker = broker
        self._requests = 0
        broker.hub.join(self.connection)

    def ask(self, name: str, msg: object, **fields: object) -> Frame:
        """The one reply to a frame."""
        request_id = self.send(name, msg, **fields)
        replies = [each for each in self.received() if each.get("request_id") == request_id]
        assert len(replies) == 1, replies
        return replies[0]

    def send(self, name: str, msg: object, **fields: object) -> str:
        """Its request id."""
        self._requests += 1
        frame = {"name": name, "request_id": str(self._requests), "msg": msg} | fields
        self._dispatcher.handle(self.connection, json.dumps(frame).encode())
        return str(self._requests)

    def call(self, name: str, version: str, body: object = None) -> Frame:
        """The reply to a request."""
        return self.ask("sendMessage", {"name": name, "version": version, "body": body if body is not None else {}})

    def subscribe(self, name: str, version: str, **filters: object) -> Frame:
        return self.ask("subscribeMessage", _subscription(name, version, filters))

    def unsubscribe(self, name: str, version: str, **filters: object) -> Frame:
        return self.ask("unsubscribeMessage", _subscription(name, version, filters))

    def login(self, user: int = USER) -> "Client":
        self._broker.accounts.ensure(user)
        assert self.ask("authenticate", {"ssid": self._broker.sessions.create(user)})["msg"] is True
        return self

    def received(self, name: str | None = None) -> list[Frame]:
        """Everything that waits to be sent, and from now on does no more."""
        frames = [json.loads(frame) for frame in self.outbox.take()]
        return [frame for frame in frames if name is None or frame["name"] == name]

    def _abort(self) -> None:
        self.aborted = True

    async def _never(self, frame: bytes) -> None:
        raise AssertionError("nothing is sent in these tests")


class World:
    def __init__(self, clock: HandClock | None = None, database: str = IN_MEMORY, **settings: Any) -> None:
        self.clock = clock or HandClock()
        self.storage = Storage(database)
        self.settings = Settings(paper_api_token=SecretStr("a-token-of-tests"), paper_database=database, **settings)
        self.broker = build(self.settings, self.storage, self.clock)
        self.broker.accounts.ensure(USER)

    def client(self, user: int = USER) -> Client:
        return Client(self.broker).login(user)

    def stranger(self) -> Client:
        return Client(self.broker)

    def balance(self, type_: BalanceType = BalanceType.DEMO, user: int = USER) -> Balance:
        return next(balance for balance in self.broker.accounts.balances(user) if balance.type is type_)

    def margin_balance(self, currency: str = "USD", amount: int = 10_000, user: int = USER) -> Balance:
        """A demo balance for margin trading, made on the way."""
        with self.storage.transaction():
            opening = Opening(BalanceType.DEMO, currency, Decimal(amount), is_marginal=True)
            self.broker.accounts.open(user, opening)
        owned = self.broker.accounts.balances(user)
        return next(each for each in owned if each.is_marginal and each.currency == currency)

    def margin_order(self, active_id: int = EURUSD, **changes: Any) -> PlaceOrder:
        """A tenth of a lot of EUR/USD, or ten of the least quantities of another active."""
        active = self.broker.catalogue.get(active_id)
        assert active is not None
        order = PlaceOrder(
            side="buy",
            user_balance_id=self.margin_balance().id,
            count=step(active) * kind_of(active).lot * 10,
            instrument_id=instrument_id(active),
            instrument_active_id=active_id,
            leverage=Decimal(min(kind_of(active).default_leverage, 100)),
        )
        return msgspec.structs.replace(order, **changes)

    def order(self, **changes: Any) -> OpenOption:
        order = OpenOption(
            active_id=EURUSD,
            direction="call",
            option_type_id=BLITZ.type_id,
            price=Decimal(10),
            user_balance_id=self.balance().id,
            expiration_size=5,
        )
        return msgspec.structs.replace(order, **changes)


def worlds(**settings: Any) -> Iterator[World]:
    """For fixtures: one, closed at the end."""
    world = World(**settings)
    yield world
    world.storage.close()


def _subscription(name: str, version: str, filters: dict[str, object]) -> Frame:
    return {"name": name, "version": version} | ({"params": {"routingFilters": filters}} if filters else {})
