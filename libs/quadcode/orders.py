"""Orders of digital options and of margin trading (quadcode-protocol §15)."""

from enum import StrEnum

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic
from libs.quadcode.positions import InstrumentType


class OrderStatus(StrEnum):
    """Those that end an order; the names of all others are the broker's own."""

    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"


class OrderNumber(Struct, frozen=True):
    id: int


class RawOrder(Struct, frozen=True):
    digital_options_order_changed1: OrderNumber | None = None
    marginal_forex_order_changed1: OrderNumber | None = None
    marginal_cfd_order_changed1: OrderNumber | None = None
    marginal_crypto_order_changed1: OrderNumber | None = None


class Order(Struct, frozen=True, kw_only=True):
    id: str
    """The broker's internal one; `number` is what a placed order was answered with."""
    instrument_type: str
    kind: str
    """`deferred` for pending orders."""
    status: str
    user_id: int
    user_balance_id: int
    position_id: str | None = None
    """Internal id of the position it became."""
    raw_event: RawOrder | None = None

    @property
    def number(self) -> int | None:
        """What a placed order was answered with; None when the record does not tell."""
        raw = self.raw_event
        if raw is None:
            return None
        told = (
            raw.digital_options_order_changed1
            or raw.marginal_forex_order_changed1
            or raw.marginal_cfd_order_changed1
            or raw.marginal_crypto_order_changed1
        )
        return told.id if told is not None else None

    @property
    def ended(self) -> bool:
        return self.status in tuple(OrderStatus)


class GetOrders(Struct, frozen=True):
    user_balance_id: int
    kind: str = "deferred"


class OrderList(Struct, frozen=True):
    items: tuple[Order, ...]


GET_ORDERS = Call("portfolio.get-orders", "2.0", GetOrders, OrderList)
ORDER_CHANGED = Topic(
    "portfolio.order-changed", "2.0", "portfolio", "order-changed", Order, ("user_id", "instrument_type")
)


class Orders:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def deferred(self, balance_id: int) -> tuple[Order, ...]:
        """The pending orders of a balance. Raises NotConnected or RequestFailed."""
        return (await self._channel.request(GET_ORDERS, GetOrders(balance_id))).items

    async def watch(self, instrument_type: InstrumentType, listener: Listener[Order]) -> Subscription:
        """Every change of this user's orders of a digital or margin type. Raises RequestFailed."""
        return await self._channel.subscribe(ORDER_CHANGED, (self._channel.user_id, str(instrument_type)), listener)
