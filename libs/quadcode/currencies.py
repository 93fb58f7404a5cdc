"""Currencies (quadcode-protocol §9.2)."""

from decimal import Decimal

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel


class GetCurrency(Struct, frozen=True):
    name: str


class Currency(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    """ISO 4217 code, as far as it has one."""
    symbol: str = ""
    mask: str = "%s"
    """How an amount is written."""
    minor_units: int = 2
    """Decimals of an amount."""
    rate_usd: Decimal | None = None
    min_deal_amount: Decimal | None = None
    """Major units."""
    max_deal_amount: Decimal | None = None
    """Major units."""
    is_crypto: bool = False
    is_tradable: bool = True
    is_visible: bool = True
    is_inout: bool | None = None
    description: str | None = None
    code: str | None = None
    unit: Decimal | None = None
    rate: Decimal | None = None
    interest_rate: Decimal | None = None
    image: str | None = None
    """Path at the host of static files, without a leading slash."""


GET_CURRENCY = Call("get-currency", "5.0", GetCurrency, Currency)


class Currencies:
    """Answers are kept for the life of the client."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[str, Currency] = {}

    async def get(self, name: str) -> Currency:
        """By its code. Raises NotConnected or RequestFailed."""
        currency = self._known.get(name)
        if currency is None:
            currency = self._known[name] = await self._channel.request(GET_CURRENCY, GetCurrency(name))
        return currency
