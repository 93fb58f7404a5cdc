"""Which expirations turbo and binary options have now; the client computes them (quadcode-protocol §12.2, §12.3)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from libs.quadcode.epoch import from_seconds, seconds
from libs.quadcode.option_actives import TimedActive


class Expiration(Struct, frozen=True):
    at: int
    """Epoch second; the `expired` of a purchase."""
    deadtime: int
    """Seconds before it in which nothing can be bought."""
    size: int | None = None
    """Seconds between two of its series; None for a special one."""
    title: str = ""
    """Of a special one."""

    def purchasable(self, now: datetime) -> bool:
        """`now`: the server's time. The last moment is excluded."""
        return from_seconds(self.at) - timedelta(seconds=self.deadtime) > now


def turbo_expirations(active: TimedActive, now: datetime) -> list[Expiration]:
    """Ascending; `now` is the server's time. The first ones may not be purchasable any more."""
    second = seconds(now)
    return sorted(_series(active, lambda size: second - second % size + size), key=_when)


def binary_expirations(active: TimedActive, now: datetime) -> list[Expiration]:
    """Ascending, the enabled special ones among them; `now` is the server's time."""
    second = seconds(now)

    def first(size: int) -> int:
        next_ = second - second % size + size
        return next_ + size if next_ - active.deadtime < second else next_

    specials = (
        Expiration(int(at), active.deadtime, title=special.title)
        for at, special in active.option.special.items()
        if special.enabled
    )
    return sorted([*_series(active, first), *specials], key=_when)


def _series(active: TimedActive, first: Callable[[int], int]) -> Iterator[Expiration]:
    for size in active.option.expiration_times:
        for step in range(active.option.count if size > 0 else 0):
            yield Expiration(first(size) + step * size, active.deadtime, size)


def _when(expiration: Expiration) -> int:
    return expiration.at
