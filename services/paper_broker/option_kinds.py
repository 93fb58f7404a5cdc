"""Binary, turbo and blitz options: what tells them apart, which expirations are on offer (quadcode-protocol §12)."""

from typing import NamedTuple

from services.paper_broker.catalogue import DURATIONS
from services.paper_broker.epoch import MINUTE
from services.paper_broker.hours import Place, end_of_week
from services.paper_broker.positions import InstrumentType


class OptionKind(NamedTuple):
    """Times in seconds."""

    type_id: int
    """`option_type_id` on the wire."""
    name: str
    instrument_type: InstrumentType
    sizes: tuple[int, ...]
    """From purchase to expiry of blitz options; of the others the grid that expirations lie on."""
    horizon: int = 0
    """How many expirations of a size are on offer."""
    deadtime: int = 0
    """Before its expiration an option can no longer be bought."""
    buyback_deadtime: int = 0
    """Before its expiration an option can no longer be sold."""


BINARY = OptionKind(1, "binary", InstrumentType.BINARY, (15 * MINUTE,), horizon=4, deadtime=60, buyback_deadtime=30)
TURBO = OptionKind(3, "turbo", InstrumentType.TURBO, (MINUTE,), horizon=5, deadtime=15, buyback_deadtime=5)
BLITZ = OptionKind(12, "blitz", InstrumentType.BLITZ, DURATIONS)
"""Whatever can still be bought can be sold for a while."""

OPTION_KINDS = {kind.type_id: kind for kind in (BINARY, TURBO, BLITZ)}


def expirations(kind: OptionKind, place: Place, now: int) -> list[int]:
    """On offer at that epoch second, computed as clients do (§12.2, §12.3); the first may be too near to be bought."""
    offered = []
    for size in kind.sizes:
        first = now - now % size + size
        if kind is BINARY and first - kind.deadtime < now:
            first += size
        offered += [first + number * size for number in range(kind.horizon)]
    return offered + [each for each in specials(kind, place, now) if each not in offered]


def specials(kind: OptionKind, place: Place, now: int) -> dict[int, str]:
    """Expirations off the grid, with their titles: binary options that last until the end of the week."""
    return {end_of_week(place, now + kind.deadtime): "front.End of week"} if kind is BINARY else {}


def sellable(instrument_type: InstrumentType) -> bool:
    """Before they expire; blitz options are kept (§14.7)."""
    return instrument_type in _BUYBACK_DEADTIMES


def sale_ends(instrument_type: InstrumentType, expiration: int) -> int:
    """Epoch second from which on an option can no longer be sold."""
    return expiration - _BUYBACK_DEADTIMES[instrument_type]


_BUYBACK_DEADTIMES = {kind.instrument_type: kind.buyback_deadtime for kind in (BINARY, TURBO)} | {
    InstrumentType.DIGITAL: 0
}
