from hypothesis import given

from services.paper_broker.bars import Bar, Bars, joined
from tests.unit.paper_broker.candles_strategy import bars, columns, equal

THREE = columns([Bar(10, 15, 8, 12), Bar(12, 13, 5, 6), Bar(6, 20, 6, 19)])


def test_the_whole_has_the_first_open_the_extremes_and_the_last_close() -> None:
    assert THREE.whole() == Bar(10, 20, 5, 19)


def test_joined_candles_are_the_candle_over_all_of_them() -> None:
    assert joined([Bar(10, 15, 8, 12), Bar(12, 13, 5, 6)]) == Bar(10, 15, 5, 6)


def test_a_part_keeps_its_candles() -> None:
    assert equal(THREE.part(1, 2), columns([Bar(12, 13, 5, 6), Bar(6, 20, 6, 19)]))


@given(bars())
def test_groups_of_one_change_nothing(candles: Bars) -> None:
    assert equal(candles.grouped(1), candles)


@given(bars())
def test_one_group_of_all_is_the_whole(candles: Bars) -> None:
    assert equal(candles.grouped(candles.length), columns([candles.whole()]))
