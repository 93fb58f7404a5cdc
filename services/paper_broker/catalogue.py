"""What can be traded: the actives, read from a data file, and the terms of their category."""

from collections.abc import Iterator
from enum import StrEnum
from math import floor, log10
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from services.paper_broker import noise
from services.paper_broker.hours import Place, is_open

BUILT_IN = Path(__file__).with_name("actives.json")
DURATIONS = (5, 10, 15, 30, 60, 120, 300)
"""Of blitz options, in seconds."""
_SIGNIFICANT_DIGITS = 7
_MIN_PRECISION = 2
_CALMEST, _WILDEST = 0.7, 1.4
"""Volatility of an active as a multiple of that of its category."""


class BadCatalogue(Exception):
    """The file of actives cannot be used; the text says why."""


class Category(StrEnum):
    FOREX = "forex"
    CRYPTO = "crypto"
    COMMODITIES = "commodities"
    INDICES = "indices"
    STOCKS = "stocks"
    PAIRS = "pairs"


class Terms(NamedTuple):
    commission: int
    """Percent; a win pays 100 minus this."""
    volatility: float
    """Standard deviation of a day's return, about which actives differ."""
    spread: float
    """Between bid and ask, as a share of the price."""


TERMS = {
    Category.FOREX: Terms(14, 0.0055, 0.00002),
    Category.CRYPTO: Terms(16, 0.035, 0.0004),
    Category.COMMODITIES: Terms(15, 0.014, 0.0002),
    Category.INDICES: Terms(18, 0.010, 0.0001),
    Category.STOCKS: Terms(20, 0.018, 0.0002),
    Category.PAIRS: Terms(17, 0.012, 0.0002),
}


class Active(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the data file."""

    id: Annotated[int, Meta(gt=0)]
    ticker: Annotated[str, Meta(min_length=1)]
    name: str
    """For display, e.g. `EUR/USD OTC`."""
    category: Category
    price: Annotated[float, Meta(gt=0)]
    """The middle of its random walk."""
    hours: Place = Place.ALWAYS
    suspended: bool = False
    own_volatility: Annotated[float, Meta(gt=0, le=0.2)] | None = msgspec.field(default=None, name="volatility")
    """Standard deviation of a day's return; without it the active has its own, near that of its category."""

    @property
    def volatility(self) -> float:
        """Standard deviation of the return of a session."""
        if self.own_volatility is not None:
            return self.own_volatility
        share = noise.key("volatility", self.id) / 2**64
        return self.terms.volatility * (_CALMEST + (_WILDEST - _CALMEST) * share)

    @property
    def terms(self) -> Terms:
        return TERMS[self.category]

    @property
    def payout(self) -> int:
        """Percent of the stake that is won on a win."""
        return 100 - self.terms.commission

    @property
    def precision(self) -> int:
        """Decimals of its price: seven significant digits, at least two decimals."""
        return max(_MIN_PRECISION, _SIGNIFICANT_DIGITS - 1 - floor(log10(self.price)))

    @property
    def otc(self) -> bool:
        return "OTC" in self.ticker

    @property
    def sides(self) -> tuple[str, str]:
        """Base and quote, as far as the name tells: `EUR/USD OTC` is EUR and USD."""
        base, slash, quote = self.name.removesuffix(" OTC").partition("/")
        return (base, quote) if slash and " " not in base + quote else ("", "USD")

    def tradable(self, now: int) -> bool:
        """Whether options on it may be bought; `now` in epoch seconds."""
        return not self.suspended and is_open(self.hours, now)


class Catalogue:
    def __init__(self, actives: list[Active]) -> None:
        """Where two entries have the same id or ticker, the first one counts."""
        self._by_id: dict[int, Active] = {}
        self._by_ticker: dict[str, Active] = {}
        for active in actives:
            if active.id not in self._by_id and active.ticker not in self._by_ticker:
                self._by_id[active.id] = self._by_ticker[active.ticker] = active

    @classmethod
    def load(cls, path: Path, *, always_open: bool) -> "Catalogue":
        """Raises BadCatalogue. With `always_open` trading hours are ignored."""
        try:
            actives = msgspec.json.decode(path.read_bytes(), type=list[Active])
        except (OSError, msgspec.MsgspecError) as error:
            raise BadCatalogue(f"{path}: {error}") from error
        if always_open:
            actives = [msgspec.structs.replace(active, hours=Place.ALWAYS) for active in actives]
        return cls(actives)

    def suspend(self, active_id: int, suspended: bool) -> bool:
        """Stop or resume trading in an active; whether that changes anything."""
        active = self._by_id.get(active_id)
        if active is None or active.suspended is suspended:
            return False
        active = msgspec.structs.replace(active, suspended=suspended)
        self._by_id[active_id] = self._by_ticker[active.ticker] = active
        return True

    def __iter__(self) -> Iterator[Active]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, active_id: int) -> Active | None:
        return self._by_id.get(active_id)

    def named(self, ticker: str) -> Active | None:
        return self._by_ticker.get(ticker)
