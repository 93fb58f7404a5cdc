"""What a margin order ties up and what a pip of it is worth; the client computes it (quadcode-protocol §16.6)."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from libs.quadcode.actives import Active
from libs.quadcode.declarations import Listener, Subscription
from libs.quadcode.errors import RequestTimeout
from libs.quadcode.exchange_rates import ExchangeRate, ExchangeRates
from libs.quadcode.margin import Side
from libs.quadcode.margin_instruments import MarginKind
from libs.quadcode.quotes import Quote, Quotes

E = TypeVar("E")

_PATIENCE = 10.0
"""Seconds until prices and rates are there."""


class Exposure(Struct, frozen=True, kw_only=True):
    """Of a quantity at a leverage."""

    kind: MarginKind
    active: Active
    currency: str
    """Of the account."""
    quantity: Decimal
    """Lots."""
    leverage: Decimal

    @property
    def count(self) -> Decimal:
        """Units of the underlying."""
        return self.quantity * self.kind.lot

    @property
    def pip(self) -> Decimal:
        """The price step that is called a pip."""
        return Decimal(1).scaleb(-self.active.pip_scale)

    def pip_value(self, account_quote_ask: Decimal) -> Decimal:
        """In the account's currency; 1 is the rate of a currency to itself."""
        return self.pip * self.count / account_quote_ask

    def forex_margin(self, base_account_bid: Decimal) -> Decimal:
        """In the account's currency."""
        return self.count / self.leverage * base_account_bid

    def priced_margin(self, price: Decimal, account_quote_ask: Decimal) -> Decimal:
        """Of CFDs and crypto, in the account's currency."""
        return self.count / self.leverage * price / account_quote_ask

    def trigger_pnl(self, side: Side, opened: Decimal, trigger: Decimal, pip_value: Decimal) -> Decimal:
        """What a stop loss or take profit at the price `trigger` would bring, in the account's currency."""
        distance = trigger - opened if side is Side.BUY else opened - trigger
        return distance / self.pip * pip_value


class MarginTerms(Struct, frozen=True):
    """In the account's currency, major units."""

    margin: Decimal
    pip_value: Decimal


async def margin_terms(
    exposure: Exposure,
    quotes: Quotes,
    rates: ExchangeRates,
    side: Side | None = None,
    pending_price: Decimal | None = None,
    patience: float = _PATIENCE,
) -> MarginTerms:
    """At the prices of now, or at that of a pending order.

    Raises RequestTimeout when prices and rates do not come within `patience` seconds, else NotConnected or
    RequestFailed.
    """
    active, account = exposure.active, exposure.currency
    try:
        async with asyncio.timeout(patience):
            to_quote = await _rate(rates, account, active.currency_right_side)
            pip_value = exposure.pip_value(to_quote.ask if to_quote else Decimal(1))
            if exposure.kind is MarginKind.FOREX:
                to_account = await _rate(rates, active.currency_left_side, account)
                return MarginTerms(exposure.forex_margin(to_account.bid if to_account else Decimal(1)), pip_value)
            price = pending_price if pending_price is not None else await _price(quotes, active.id, side)
            return MarginTerms(exposure.priced_margin(price, to_quote.ask if to_quote else Decimal(1)), pip_value)
    except TimeoutError as error:
        raise RequestTimeout(f"no prices for the margin of {active.name} within {patience:g} s") from error


async def _rate(rates: ExchangeRates, base: str, quote: str) -> ExchangeRate | None:
    """None between a currency and itself."""
    if base == quote:
        return None
    return await _first(lambda listener: rates.watch(base, quote, listener))


async def _price(quotes: Quotes, active_id: int, side: Side | None) -> Decimal:
    quote: Quote = await _first(lambda listener: quotes.watch(active_id, listener))
    price = quote.value if side is None else quote.ask if side is Side.BUY else quote.bid
    return Decimal(str(price))


async def _first(watch: Callable[[Listener[E]], Awaitable[Subscription]]) -> E:
    event: asyncio.Future[E] = asyncio.get_running_loop().create_future()

    def hear(heard: E) -> None:
        if not event.done():
            event.set_result(heard)

    subscription = await watch(hear)
    try:
        return await event
    finally:
        await subscription.stop()
