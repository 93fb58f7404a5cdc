"""Trade events, as news about order records."""

from collections.abc import Callable

from libs.bus import Bus
from libs.contracts import subjects
from libs.contracts.orders import OrderRecord, OrderState, TradeClosed, TradeEvent, TradeFailed, TradeOpened

_TYPES: dict[OrderState, type[TradeEvent]] = {
    OrderState.OPENED: TradeOpened,
    OrderState.CLOSED: TradeClosed,
    OrderState.REJECTED: TradeFailed,
    OrderState.UNKNOWN: TradeFailed,
}


def record_of(event: TradeEvent) -> OrderRecord:
    """What the record says, or is about to say, once this event was published."""
    match event:
        case TradeOpened():
            return OrderRecord(order=event.order, state=OrderState.OPENED, updated_at=event.at, position=event.position)
        case TradeClosed():
            return OrderRecord(
                order=event.order,
                state=OrderState.CLOSED,
                updated_at=event.at,
                position=event.position,
                settlement=event.settlement,
            )
        case TradeFailed():
            return OrderRecord(
                order=event.order, state=event.state, updated_at=event.at, code=event.code, reason=event.reason
            )


async def listen(bus: Bus, hear: Callable[[OrderRecord], None]) -> None:
    """Live events of all users, at most once: whoever waits for an order also looks at its record from time to time.

    Not a durable consumer: instances would share it, so that an event could reach one that does not run the user's
    bot. The record in KV `orders` is the truth, and a bot finds it by the order's id, which follows from its run and
    sequence; events only make it sooner known.
    """

    async def receive(_: str, event: TradeEvent) -> None:
        hear(record_of(event))

    for state, type_ in _TYPES.items():
        await bus.subscribe(subjects.trade("*", state), type_, receive)
