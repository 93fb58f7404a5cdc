"""What the acceptance cases need of somebody who fits a broker to the gateway's port, to bring each situation about."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from libs.contracts.account import Balance
from libs.contracts.clock import SystemClock
from libs.contracts.market import Feed
from libs.contracts.orders import OptionKind, Order
from services.broker_gateway.broker import Broker, BrokerPosition, Connection, Market
from tests.integration.nats_server import eventually
from tests.messages import an_order

CLOCK = SystemClock()


class OrderVenue(Protocol):
    """One user's account with money on a demo balance and on a real one, and something on offer of every kind."""

    broker: Broker
    demo: int
    """Id of the balance."""
    real: int

    async def order(self, kind: OptionKind, **changes: Any) -> Order:
        """One that the broker would take now, of 10 on the demo balance."""
        ...

    async def booked(self) -> int:
        """How many positions the broker itself has of this user, whatever the port says."""
        ...

    async def withdraw_offer(self, order: Order) -> None:
        """What it asks for is not on offer any more."""
        ...

    async def refuse_next(self) -> None:
        """The broker says no to the next purchase."""
        ...

    async def lose_next_answer(self) -> None:
        """The broker does what it is asked for next, and the answer is lost."""
        ...

    async def cut(self) -> None:
        """The link to the broker is lost, and does not come back; known when this returns."""
        ...


class SessionVenue(OrderVenue, Protocol):
    account: str

    def connection(self, account: str, listener: "Witness") -> Connection:
        """Another one that has not been opened."""
        ...

    async def refuse_log_ins(self) -> None:
        """From now on the broker refuses every session of this user."""
        ...

    async def drop(self) -> None:
        """Every connection of this user is lost; new ones are possible."""
        ...


class MarketVenue(Protocol):
    market: Market
    """Open."""
    feed: Feed
    """Of a market that is open, with the shortest candles."""

    async def drop(self) -> None: ...

    async def cut(self) -> None: ...

    async def suspend(self, active_id: int) -> None: ...


@dataclass
class Witness:
    """Remembers what a connection tells."""

    links: list[bool] = field(default_factory=list)
    refusals: int = 0
    balances: list[tuple[Balance, ...]] = field(default_factory=list)
    positions: list[BrokerPosition] = field(default_factory=list)

    def link_changed(self, up: bool) -> None:
        self.links.append(up)

    def refused(self) -> None:
        self.refusals += 1

    def balances_changed(self, balances: tuple[Balance, ...]) -> None:
        self.balances.append(balances)

    def position_changed(self, position: BrokerPosition) -> None:
        self.positions.append(position)

    def of(self, position_id: int) -> list[BrokerPosition]:
        return [known for known in self.positions if known.position.position_id == position_id]

    async def closed(self, position_id: int) -> BrokerPosition:
        """Once it is told with its result."""
        await eventually(lambda: any(known.settlement for known in self.of(position_id)), timeout=20)
        return self.of(position_id)[-1]


def ordinary(**changes: Any) -> Order:
    at = CLOCK.now()
    return an_order(**({"at": at, "expires_at": at + timedelta(seconds=5), "duration": 5} | changes))
