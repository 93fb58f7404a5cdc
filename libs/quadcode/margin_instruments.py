"""What is traded on margin, and with which leverage (quadcode-protocol §16.1–§16.3)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from libs.quadcode.epoch import seconds
from libs.quadcode.features import MARGIN_CFD, MARGIN_CRYPTO, MARGIN_FOREX
from libs.quadcode.positions import InstrumentType
from libs.quadcode.underlyings import Underlying


class MarginKind(StrEnum):
    FOREX = "forex"
    CFD = "cfd"
    CRYPTO = "crypto"

    @property
    def instrument_type(self) -> InstrumentType:
        return InstrumentType(f"marginal-{self}")

    @property
    def feature(self) -> str:
        """What gates it."""
        return {"forex": MARGIN_FOREX, "cfd": MARGIN_CFD, "crypto": MARGIN_CRYPTO}[self]

    @property
    def lot(self) -> int:
        """Units of the underlying in one lot, in which quantities are."""
        return 100_000 if self is MarginKind.FOREX else 1


class Nothing(Struct, frozen=True):
    pass


class UnderlyingItems(Struct, frozen=True):
    items: tuple[Underlying, ...]


class GetMarginInstruments(Struct, frozen=True):
    active_id: int


class Window(Struct, frozen=True):
    opens: int = field(name="from")
    """Epoch second, inclusive."""
    closes: int = field(name="to")
    """Epoch second, inclusive."""


class MarginInstrument(Struct, frozen=True, kw_only=True):
    id: str
    """What an order names it by."""
    active_id: int
    default_leverage: Decimal
    min_qty: Decimal
    """Lots."""
    qty_step: Decimal
    """Lots."""
    tradable: Window
    leverage_profile: int | None = None
    allow_long_position: bool = True
    allow_short_position: bool = True
    is_suspended: bool = False

    def tradable_at(self, at: datetime) -> bool:
        return not self.is_suspended and self.tradable.opens <= seconds(at) <= self.tradable.closes


class LeverageStep(Struct, frozen=True):
    equity: Decimal
    """USD; from here on."""
    leverage: Decimal


class LeverageProfile(Struct, frozen=True):
    id: int
    items: tuple[LeverageStep, ...] = ()
    """Ascending by equity."""


class MarginInstruments(Struct, frozen=True):
    items: tuple[MarginInstrument, ...]
    dynamic_leverage_profiles: tuple[LeverageProfile, ...] = ()

    def leverage(self, instrument: MarginInstrument, equity_usd: Decimal | None) -> Decimal:
        """That of an account with this equity; the default one where nothing else is said (§16.2)."""
        steps = next(
            (each.items for each in self.dynamic_leverage_profiles if each.id == instrument.leverage_profile), ()
        )
        if equity_usd is None or not steps:
            return instrument.default_leverage
        if len(steps) == 1:
            return steps[0].leverage
        reached = [step.leverage for step in steps if step.equity <= equity_usd]
        return reached[-1] if reached else instrument.default_leverage
