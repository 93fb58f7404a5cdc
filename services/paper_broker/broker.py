"""The parts of the platform, as the handlers of requests get them."""

from dataclasses import dataclass
from typing import NamedTuple

from libs.contracts.clock import Clock
from services.paper_broker.accounts import Accounts
from services.paper_broker.announcer import Announcer
from services.paper_broker.candles import History
from services.paper_broker.catalogue import Catalogue
from services.paper_broker.chats import Chats
from services.paper_broker.digital import DigitalOptions
from services.paper_broker.epoch import milliseconds
from services.paper_broker.exchange_rates import ExchangeRates
from services.paper_broker.faults import Faults
from services.paper_broker.features import Features
from services.paper_broker.hub import Connection, Hub, Topic
from services.paper_broker.ledger import Ledger
from services.paper_broker.margin import MarginTrading
from services.paper_broker.market import Market
from services.paper_broker.oauth import OAuth
from services.paper_broker.options import Options
from services.paper_broker.orders import Orders
from services.paper_broker.positions import Positions
from services.paper_broker.selling import Selling
from services.paper_broker.sessions import Sessions
from services.paper_broker.translations import Translations
from services.paper_broker.watch import Watch


@dataclass(frozen=True, slots=True)
class Broker:
    clock: Clock
    speed: int
    """Seconds of that clock in one of the world."""
    catalogue: Catalogue
    market: Market
    rates: ExchangeRates
    history: History
    accounts: Accounts
    sessions: Sessions
    oauth: OAuth
    ledger: Ledger
    positions: Positions
    orders: Orders
    options: Options
    digital: DigitalOptions
    selling: Selling
    margin: MarginTrading
    watch: Watch
    faults: Faults
    hub: Hub
    announcer: Announcer
    translations: Translations
    chats: Chats
    features: Features

    def now(self) -> int:
        """Epoch milliseconds."""
        return milliseconds(self.clock)

    def catch_up(self) -> None:
        """With what the market has done to margin trading until now, and tell it."""
        for order, position in self.margin.watch.advance(self.now()):
            self.announcer.happened(order, position)

    def waiting(self, seconds: float) -> float:
        """How long to sleep for seconds of the platform's time to pass."""
        return seconds / self.speed


class Caller(NamedTuple):
    """Who sent a request."""

    user_id: int
    connection: Connection


class Reply(NamedTuple):
    """The final answer to a request."""

    name: str
    msg: object
    delay: float = 0.0
    """Seconds it is held back."""
    lost: bool = False
    """It never leaves: an injected fault."""
    opens: Topic | None = None
    """Events that a connection gets only after this reply."""


def acknowledged(*, success: bool = True, reason: str = "") -> Reply:
    return Reply("result", {"success": success, "reason": reason})
