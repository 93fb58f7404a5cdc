"""The candle sizes that are scanned, in seconds."""

from libs.contracts.market import CANDLE_SIZES

BASE = 10
"""The only feed that is asked for, once per active: every other size is a multiple of it and made of it. The broker
sends every subscribed size with every price, so that eight sizes of 150 actives would be eight times the traffic."""

SIZES = (BASE, 30, 60, 180, 300, 900, 1800, 3600)

_MADE_OF = 60
"""The broker's history has no candles of three minutes; theirs is made of this size."""


def source(size: int) -> int:
    """The size of the broker's candles that the history of this one is made of."""
    return size if size in CANDLE_SIZES else _MADE_OF
