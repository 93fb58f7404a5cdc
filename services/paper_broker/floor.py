"""What every kind of trading stands on: the books, the market and the time."""

from dataclasses import dataclass

from libs.contracts.clock import Clock
from services.paper_broker.accounts import Accounts
from services.paper_broker.catalogue import Catalogue
from services.paper_broker.ledger import Ledger
from services.paper_broker.market import Market
from services.paper_broker.orders import Orders
from services.paper_broker.positions import Positions
from services.paper_broker.storage import Storage


@dataclass(frozen=True, slots=True)
class Floor:
    storage: Storage
    ledger: Ledger
    accounts: Accounts
    positions: Positions
    orders: Orders
    catalogue: Catalogue
    market: Market
    clock: Clock
