"""Feeds are wanted as long as a live process wants them."""

from libs.bus import Entry
from libs.contracts.market import Feed, FeedDemand
from services.broker_gateway.demand import LAPSE, wanted

EURUSD, GBPUSD = Feed(76, 10), Feed(81, 10)


def demand(*feeds: Feed, received: float) -> Entry[FeedDemand]:
    return Entry("bots.one", FeedDemand(feeds=feeds), 1, received)


def test_what_anybody_wants_is_wanted_once() -> None:
    demands = [demand(EURUSD, received=100.0), demand(EURUSD, GBPUSD, received=100.0)]
    assert wanted(demands, now=101.0) == {EURUSD, GBPUSD}


def test_a_process_that_stops_renewing_wants_nothing() -> None:
    demands = [demand(EURUSD, received=100.0), demand(GBPUSD, received=105.0)]
    assert wanted(demands, now=100.0 + LAPSE) == {GBPUSD}


def test_nobody_wants_nothing() -> None:
    assert wanted([], now=0.0) == frozenset()
