"""Margin trading as a whole (quadcode-protocol §16)."""

from dataclasses import dataclass

from services.paper_broker.exchange_rates import ExchangeRates
from services.paper_broker.floor import Floor
from services.paper_broker.margin_balances import MarginBalances
from services.paper_broker.margin_book import MarginBook
from services.paper_broker.margin_orders import MarginOrders
from services.paper_broker.margin_positions import MarginPositions
from services.paper_broker.margin_prices import MarginPrices
from services.paper_broker.margin_watch import MarginWatch


@dataclass(frozen=True, slots=True)
class MarginTrading:
    book: MarginBook
    prices: MarginPrices
    balances: MarginBalances
    orders: MarginOrders
    positions: MarginPositions
    watch: MarginWatch


def margin_trading(floor: Floor, rates: ExchangeRates) -> MarginTrading:
    book, prices = MarginBook(floor), MarginPrices(floor, rates)
    balances = MarginBalances(floor, book, prices)
    orders = MarginOrders(floor, book, prices, balances)
    positions = MarginPositions(floor, book, prices, balances)
    return MarginTrading(book, prices, balances, orders, positions, MarginWatch(floor, book, orders, positions))
