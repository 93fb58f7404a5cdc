"""Whose doing a bot's orders are, for those who follow traces (docs/operations.md, "Traces")."""

from contextlib import AbstractContextManager
from typing import Any

from libs.bus import tracing
from libs.contracts.orders import Order


class Causes:
    """Of one run."""

    def __init__(self, wish: str) -> None:
        """`wish`: what had the user's wish written down; empty if that was not traced."""
        self._wish = wish
        self._told: dict[int, str] = {}
        """What told of an order, by sequence, until it is counted."""

    def beginning(self, *, new: bool) -> AbstractContextManager[Any]:
        """A run that only goes on, perhaps days later, is nobody's doing."""
        return tracing.follow("begin run", (self._wish,) if new else ())

    def order(self, order: Order, candle: str) -> AbstractContextManager[Any]:
        """The first order of a run is what the user's start leads to; each other one is its candle's."""
        causes = (self._wish, candle) if order.sequence == 1 else (candle,)
        if not any(causes):
            return tracing.begin("order", order=order.order_id)
        return tracing.follow(
            "order", causes, (self._wish,), order=order.order_id, signal=order.correlation_id, strategy=order.strategy
        )

    def heard(self, sequence: int) -> None:
        if cause := tracing.here():
            self._told[sequence] = cause

    def counting(self, sequence: int) -> AbstractContextManager[Any]:
        return tracing.follow("count", (self._told.pop(sequence, ""),))
