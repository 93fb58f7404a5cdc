from itertools import accumulate
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.market import Candle, Feed, offered_size
from libs.strategies.panel import Appended
from services.bot_runtime.scanner.panels import REACH, NotKnown, Panels, history_count
from services.bot_runtime.scanner.sizes import BASE, SIZES
from tests.unit.bot_runtime.scanner.markets import START, candles, larger

SOURCES = sorted({offered_size(size) for size in SIZES})


def loaded(base: list[Candle], until: int) -> Panels:
    """As after the histories have come: candles that ended by then, of each size as many as are asked for."""
    panels = Panels()
    for size in SOURCES:
        feed = Feed(1, size)
        complete = [candle for candle in larger(base, size, first_id=7000) if candle.end <= until]
        panels.load(feed, complete[-history_count(feed) + 1 :])
    return panels


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), quiet=st.sampled_from([0.0, 0.1, 0.5]), loaded_at=st.integers(400, 590))
def test_rows_carried_on_equal_the_brokers_own_candles(seed: int, quiet: float, loaded_at: int) -> None:
    random = Random(seed)
    gaps = [random.choice([2, 3, 40]) if random.random() < quiet else 1 for _ in range(600)]
    base = candles(accumulate(gaps), seed)
    panels = loaded(base, base[loaded_at - 1].end)
    for candle in base[loaded_at:]:
        assert panels.append(candle) is Appended.ADDED
        for size in SIZES:
            panels.advance(Feed(1, size))
    for size in SIZES:
        panel = panels.of[size]
        complete = [candle for candle in larger(base, size) if candle.end <= base[-1].end]
        count = int(panel.counts[0])
        assert count >= min(len(complete) - 1, panel.depth)
        assert panel.ends[0, -count:].tolist() == [candle.end for candle in complete[-count:]]
        assert panel.high[0, -count:].tolist() == [candle.high for candle in complete[-count:]]
        assert panel.close[0, -count:].tolist() == [candle.close for candle in complete[-count:]]


def test_what_is_not_loaded_is_not_known() -> None:
    panels = Panels()
    assert panels.advance(Feed(1, 60)) == [], "nothing has closed"
    panels.append(candles([5])[0])
    with pytest.raises(NotKnown):
        panels.advance(Feed(1, 60))


def test_a_candle_is_not_made_of_a_part_of_what_belongs_to_it() -> None:
    base = candles(range(720))
    panels = loaded(base, START + 3600)
    panels.load(Feed(1, BASE), base[500:715])
    panels.load(Feed(1, 3600), larger(base[:360], 3600))
    for candle in base[715:]:
        panels.append(candle)
    with pytest.raises(NotKnown):
        panels.advance(Feed(1, 3600))
    panels.load(Feed(1, 3600), larger(base, 3600))
    assert panels.advance(Feed(1, 3600)) == []


def test_a_hole_is_noticed_and_mended_by_a_history() -> None:
    base = candles(range(REACH))
    panels = loaded(base, base[-10].end)
    assert panels.append(base[-8]) is Appended.GAP
    panels.load(Feed(1, BASE), base[:-3])
    assert [panels.append(candle) for candle in base[-3:]] == [Appended.ADDED] * 3
    assert panels.advance(Feed(1, 60))[-1].end == base[-1].end // 60 * 60


def test_a_forgotten_active_begins_anew() -> None:
    base = candles(range(400))
    panels = loaded(base, base[-1].end)
    panels.clear(1)
    assert panels.of[60].counts[0] == 0
    panels.append(candles([500])[0])
    with pytest.raises(NotKnown):
        panels.advance(Feed(1, 10))


def test_the_histories_fit_into_one_request_each() -> None:
    assert all(history_count(Feed(1, size)) <= 1000 for size in SOURCES)
    assert history_count(Feed(1, 60)) > 3 * 50


def test_a_history_that_begins_within_a_candle_does_not_make_it() -> None:
    panels = Panels()
    panels.load(Feed(1, 60), larger(candles(range(6, 60)), 60))
    assert panels.of[180].ends[0, -3:].tolist() == [0, START + 360, START + 540]
