"""`mhi`: the minority of the last three candles."""

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from libs.strategies.panel import Panel
from libs.strategies.strategy import Signals, Strategy

_CANDLES = 3


class Mhi(Strategy, frozen=True, kw_only=True):
    """Of the last three candles, the colour that is rarer: CALL when fewer than two rose, else PUT; with
    `majority: true` the other way round. A candle that neither rose nor fell spoils the count, and there is no signal.
    Confidence 55, or 60 when all three were alike.

    Traders of MHI look at blocks of five candles and enter with the first of the next one: `block: 5`.
    """

    name: ClassVar[str] = "mhi"

    majority: Annotated[bool, Meta(description="Follow the majority instead.")] = False
    block: Annotated[
        int,
        Meta(
            ge=1,
            le=60,
            description="Signals only after every so many candles, counted from midnight UTC; 1 is every candle.",
        ),
    ] = 1

    @property
    def warm_up(self) -> int:
        return _CANDLES

    def evaluate(self, panel: Panel) -> Signals:
        move = np.sign(panel.close[:, -_CANDLES:] - panel.open[:, -_CANDLES:])
        rose, fell = (move > 0).sum(axis=1), (move < 0).sum(axis=1)
        due = (rose + fell == _CANDLES) & (panel.ends[:, -1] % 86_400 % (self.block * panel.size) == 0)
        rising = rose > fell
        call = rising if self.majority else ~rising
        return Signals.where(due & call, due & ~call, np.where(rose * fell == 0, 60, 55))
