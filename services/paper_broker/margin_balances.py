"""What a margin balance is worth while positions are open on it (quadcode-protocol §8.3)."""

from decimal import Decimal
from typing import NamedTuple

from services.paper_broker.accounts import Balance
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.epoch import milliseconds, ticks_before
from services.paper_broker.floor import Floor
from services.paper_broker.margin_book import MarginBook
from services.paper_broker.margin_prices import MarginPrices
from services.paper_broker.money import rounded

STOP_OUT_LEVEL = Decimal(50)
"""Percent; below it positions are closed."""


class Worth(NamedTuple):
    """Money in the balance's currency."""

    cash: Decimal
    pnl: Decimal
    """Of what is open."""
    margin: Decimal
    """Tied up by what is open."""

    @property
    def equity(self) -> Decimal:
        return self.cash + self.pnl

    @property
    def available(self) -> Decimal:
        """For new positions; may be negative."""
        return self.equity - self.margin

    @property
    def level(self) -> Decimal | None:
        """Equity in percent of the margin; None without any margin."""
        return self.equity * 100 / self.margin if self.margin else None

    @property
    def stopped_out(self) -> bool:
        return self.level is not None and self.level < STOP_OUT_LEVEL


class MarginBalances:
    def __init__(self, floor: Floor, book: MarginBook, prices: MarginPrices) -> None:
        self._floor = floor
        self._book = book
        self._prices = prices

    def worth(self, balance: Balance, tick: int) -> Worth:
        """When `tick` ticks of the epoch are over."""
        pnl = margin = Decimal(0)
        for position in self._book.of(balance.id):
            pnl += self._prices.valued(position, balance.currency, tick).pnl
            margin += position.invest
        return Worth(balance.amount, pnl, margin)

    def equity_usd(self, balance: Balance, tick: int) -> Decimal:
        return self._prices.in_usd(self.worth(balance, tick).equity, balance.currency, tick)

    def record(self, balance: Balance) -> dict[str, object]:
        """As `get-marginal-balance` and the event of its changes show it now: money as decimal strings."""
        tick = ticks_before(milliseconds(self._floor.clock))
        worth, minor_units = self.worth(balance, tick), CURRENCIES[balance.currency].minor_units
        nothing = Decimal(0)
        money = {
            "cash": worth.cash,
            "bonus": nothing,
            "pnl": worth.pnl,
            "pnl_net": worth.pnl,
            "equity": worth.equity,
            "swap": nothing,
            "dividends": nothing,
            "margin": worth.margin,
            "available": worth.available,
        }
        return {
            "id": balance.id,
            "type": balance.type,
            "currency": balance.currency,
            "user_id": balance.user_id,
            **{name: f"{rounded(amount, minor_units):f}" for name, amount in money.items()},
            "equity_usd": f"{self._prices.in_usd(worth.equity, balance.currency, tick):f}",
            "margin_level": f"{rounded(worth.level or nothing, 2):f}",
            "stop_out_level": f"{STOP_OUT_LEVEL:f}",
        }
