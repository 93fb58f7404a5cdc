"""Exchange rates, which margin is calculated with (quadcode-protocol §10.2)."""

from decimal import Decimal

from msgspec import Struct

from libs.quadcode.declarations import Channel, Listener, Subscription, Topic


class ExchangeRate(Struct, frozen=True):
    """Units of the quote currency for one of the base currency."""

    base_currency: str
    quote_currency: str
    ask: Decimal
    bid: Decimal
    changed_at: float = 0.0
    """Epoch milliseconds."""


EXCHANGE_RATE_GENERATED = Topic(
    "exchange-rates.exchange-rate-generated",
    "2.0",
    "exchange-rates",
    "exchange-rate-generated",
    ExchangeRate,
    ("base_currency", "quote_currency"),
)


class ExchangeRates:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def watch(self, base: str, quote: str, listener: Listener[ExchangeRate]) -> Subscription:
        """Told on change; that there is one at once is not promised. Raises RequestFailed."""
        return await self._channel.subscribe(EXCHANGE_RATE_GENERATED, (base.upper(), quote.upper()), listener)
