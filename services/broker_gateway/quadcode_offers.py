"""What a Quadcode-platform broker offers of what an order asks for (quadcode-protocol §12.1 to §12.3)."""

from datetime import datetime

from libs.contracts.orders import OptionKind, Order
from libs.quadcode.epoch import from_seconds, seconds
from libs.quadcode.expirations import binary_expirations, turbo_expirations
from libs.quadcode.option_actives import InitializationData, TimedActive
from services.broker_gateway.broker import NotOffered, Offer

_EXPIRATIONS = {OptionKind.TURBO: turbo_expirations, OptionKind.BINARY: binary_expirations}


def offered(order: Order, offers: InitializationData, now: datetime) -> Offer:
    """`now`: the broker's time. Raises NotOffered."""
    if order.option is OptionKind.BLITZ:
        return _blitz(order, offers, now)
    actives = offers.turbo if order.option is OptionKind.TURBO else offers.binary
    for active in actives.all():
        if active.id == order.active_id and active.tradable(now):
            return Offer(active.option.profit.percent, _closing(order, active, now))
    raise NotOffered(f"{order.option} options on {order.ticker} are not on offer")


def _blitz(order: Order, offers: InitializationData, now: datetime) -> Offer:
    for active in offers.blitz.all():
        if active.id == order.active_id and active.tradable(now):
            return Offer(active.option.profit.percent)
    raise NotOffered(f"blitz options on {order.ticker} are not on offer")


def _closing(order: Order, active: TimedActive, now: datetime) -> datetime:
    """Until when this expiration can be bought."""
    for expiration in _EXPIRATIONS[order.option](active, now):
        if order.expiration == from_seconds(expiration.at) and expiration.purchasable(now):
            return from_seconds(expiration.at - expiration.deadtime)
    wanted = seconds(order.expiration) if order.expiration is not None else 0
    raise NotOffered(f"{order.option} options on {order.ticker} that expire at {wanted} cannot be bought now")
