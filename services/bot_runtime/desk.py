"""What all bots of a process share."""

from dataclasses import dataclass

from libs.bus import Bus
from libs.contracts.clock import Clock
from services.bot_runtime.accounts import Accounts
from services.bot_runtime.actives import Actives
from services.bot_runtime.desires import Desires
from services.bot_runtime.journal import Journals
from services.bot_runtime.orders import Orders
from services.bot_runtime.platform import PlatformRules
from services.bot_runtime.rush import Rush
from services.bot_runtime.strategies import Strategies


@dataclass(frozen=True, slots=True)
class Desk:
    bus: Bus
    clock: Clock
    actives: Actives
    accounts: Accounts
    orders: Orders
    desires: Desires
    journals: Journals
    platform: PlatformRules
    strategies: Strategies
    rush: Rush
    order_lifetime: float
    """Seconds after the decision in which an order may be sent."""
