"""Base candles for tests."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from random import Random

from libs.contracts.market import Candle
from services.bot_runtime.scanner.sizes import BASE
from tests.messages import a_candle

START = 1_789_999_200
"""A full hour, and so a boundary of every size."""


def candles(slots: Iterable[int], seed: int = 1, active_id: int = 1, start: int = START) -> list[Candle]:
    """Consecutive candles that exist: one in each of these ten-second slots after `start`."""
    random = Random(seed)
    made = []
    for number, slot in enumerate(slots, start=7000):
        first, last = (random.randrange(100, 200) / 100 for _ in range(2))
        begin = start + slot * BASE
        made.append(
            a_candle(
                active_id=active_id,
                size=BASE,
                id=number,
                start=begin,
                end=begin + BASE,
                open=first,
                close=last,
                high=max(first, last) + random.random(),
                low=min(first, last) - random.random(),
                at=datetime.fromtimestamp(begin + BASE, UTC),
            )
        )
    return made


def larger(base: Sequence[Candle], size: int, first_id: int = 1) -> list[Candle]:
    """As the broker makes them: every candle holds what starts in it, and one without any does not exist."""
    made: dict[int, list[Candle]] = {}
    for candle in base:
        made.setdefault(candle.start // size * size, []).append(candle)
    return [
        a_candle(
            active_id=parts[0].active_id, size=size, id=number, start=start, end=start + size,
            open=parts[0].open, high=max(part.high for part in parts), low=min(part.low for part in parts),
            close=parts[-1].close, at=datetime.fromtimestamp(start + size, UTC),
        )
        for number, (start, parts) in enumerate(made.items(), start=first_id)
    ]  # fmt: skip
