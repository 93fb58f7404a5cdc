"""What options are on offer: the initialization data (quadcode-protocol §12.1)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct, field

from libs.quadcode.declarations import Call
from libs.quadcode.epoch import seconds


class GetInitializationData(Struct, frozen=True):
    pass


class Profit(Struct, frozen=True):
    commission: float
    """Percent of the stake the broker keeps of a doubled one."""

    @property
    def percent(self) -> int:
        """Percent of the stake that is won on a win."""
        return int(100 - self.commission)


class Special(Struct, frozen=True):
    """An expiration out of the series."""

    title: str = ""
    enabled: bool = False


class BlitzOffer(Struct, frozen=True):
    profit: Profit
    expiration_times: tuple[int, ...] = ()
    """Durations, in seconds."""


class TimedOffer(Struct, frozen=True):
    """Of turbo and binary options."""

    profit: Profit
    expiration_times: tuple[int, ...] = ()
    """Seconds between two expirations."""
    count: int = 0
    """How many consecutive expirations are on offer."""
    special: Mapping[str, Special] = field(default_factory=dict)
    """By epoch second; binary only."""


class OptionActive(Struct, frozen=True, kw_only=True):
    id: int
    ticker: str
    name: str = ""
    """Key of the display name, with its `front.`."""
    is_suspended: bool = False
    schedule: tuple[tuple[int, int], ...] = ()
    """Trading sessions in epoch seconds, both bounds inclusive."""

    def tradable(self, at: datetime) -> bool:
        return not self.is_suspended and any(opens <= seconds(at) <= closes for opens, closes in self.schedule)


class BlitzActive(OptionActive, frozen=True, kw_only=True):
    option: BlitzOffer


class TimedActive(OptionActive, frozen=True, kw_only=True):
    option: TimedOffer
    deadtime: int = 0
    """Seconds before the expiration in which nothing can be bought."""
    buyback_deadtime: int = 0
    """Seconds before the expiration in which nothing can be sold."""
    is_buyback: bool = False


A = TypeVar("A", bound=OptionActive)


class Offer(Struct, Generic[A], frozen=True):
    actives: dict[str, A] | list[A]

    def all(self) -> Sequence[A]:
        return list(self.actives.values()) if isinstance(self.actives, dict) else self.actives


class InitializationData(Struct, frozen=True):
    binary: Offer[TimedActive]
    turbo: Offer[TimedActive]
    blitz: Offer[BlitzActive]


GET_INITIALIZATION_DATA = Call(
    "binary-options.get-initialization-data", "3.0", GetInitializationData, InitializationData
)
