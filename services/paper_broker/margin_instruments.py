"""What is traded on margin: one instrument per active, in three kinds (quadcode-protocol §16.1 to §16.3)."""

from decimal import Decimal
from math import floor, log10
from typing import NamedTuple

from services.paper_broker.catalogue import Active, Category
from services.paper_broker.hours import Session, sessions
from services.paper_broker.positions import InstrumentType


class LeverageStep(NamedTuple):
    equity: int
    """USD; from here on."""
    leverage: int


class MarginKind(NamedTuple):
    number: int
    """Of its leverage profile."""
    name: str
    instrument_type: InstrumentType
    lot: int
    """Units of the underlying in one lot."""
    leverages: tuple[LeverageStep, ...]
    """Ascending by equity, from 0 on."""

    @property
    def default_leverage(self) -> int:
        return self.leverages[0].leverage

    def max_leverage(self, equity_usd: Decimal) -> int:
        reached = [step.leverage for step in self.leverages if step.equity <= equity_usd]
        return reached[-1] if reached else self.default_leverage


def _steps(*steps: tuple[int, int]) -> tuple[LeverageStep, ...]:
    return tuple(LeverageStep(*step) for step in steps)


FOREX = MarginKind(
    1, "forex", InstrumentType.MARGIN_FOREX, 100_000, _steps((0, 500), (5_000, 200), (50_000, 100), (250_000, 50))
)
CFD = MarginKind(2, "cfd", InstrumentType.MARGIN_CFD, 1, _steps((0, 20), (20_000, 10), (100_000, 5)))
CRYPTO = MarginKind(3, "crypto", InstrumentType.MARGIN_CRYPTO, 1, _steps((0, 10), (20_000, 5), (100_000, 2)))
MARGIN_KINDS = {kind.instrument_type: kind for kind in (FOREX, CFD, CRYPTO)}

_FOREX_STEP = Decimal("0.01")
"""Lots."""


def kind_of(active: Active) -> MarginKind:
    """Pairs of currencies and crypto are their own kinds, everything else is a contract for difference."""
    if active.category is Category.CRYPTO:
        return CRYPTO
    return FOREX if active.category is Category.FOREX and active.sides[0] else CFD


def step(active: Active) -> Decimal:
    """Lots, the least that is traded and what it grows by: of CFDs and crypto so many units as cost 1 to 10."""
    if kind_of(active) is FOREX:
        return _FOREX_STEP
    return Decimal(1).scaleb(-floor(log10(active.price)))


def instrument_id(active: Active) -> str:
    return f"m{kind_of(active).name}.{active.id}"


def tradable(active: Active, now: int) -> Session:
    """The session that an epoch second is in, or the next one."""
    return next(each for each in sessions(active.hours, now) if each.closes >= now)


def instrument_record(active: Active, now: int) -> dict[str, object]:
    """`now` in epoch seconds."""
    kind, quantity, session = kind_of(active), f"{step(active):f}", tradable(active, now)
    return {
        "id": instrument_id(active),
        "active_id": active.id,
        "allow_long_position": True,
        "allow_short_position": True,
        "default_leverage": kind.default_leverage,
        "leverage_profile": kind.number,
        "is_suspended": active.suspended,
        "min_qty": quantity,
        "qty_step": quantity,
        "tradable": {"from": session.opens, "to": session.closes},
    }


def profile_record(kind: MarginKind) -> dict[str, object]:
    """Clients throw when an instrument's profile is missing (pitfall P5)."""
    return {"id": kind.number, "items": [each._asdict() for each in kind.leverages]}
