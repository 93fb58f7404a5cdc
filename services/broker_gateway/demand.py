"""Which candle feeds are wanted: the union of what live processes say under KV `feeds`."""

from collections.abc import Iterable

from libs.bus import Entry
from libs.contracts.market import Feed, FeedDemand

LAPSE = 10.0
"""Seconds after which a demand that was not renewed counts no more: its process is gone."""


def wanted(demands: Iterable[Entry[FeedDemand]], now: float) -> frozenset[Feed]:
    """`now` in monotonic seconds."""
    return frozenset(feed for demand in demands if now - demand.received < LAPSE for feed in demand.value.feeds)
