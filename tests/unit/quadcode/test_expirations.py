"""Expirations follow quadcode-protocol §12.2 and §12.3, whenever they are asked for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.quadcode.expirations import Expiration, binary_expirations, turbo_expirations
from libs.quadcode.option_actives import Profit, Special, TimedActive, TimedOffer

NOON = 1_790_000_100
"""A multiple of 60 and of 900."""

moments = st.floats(NOON, NOON + 86400)
sizes = st.sampled_from([60, 120, 300, 900])


def at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def active(*sizes: int, count: int = 3, deadtime: int = 30, special: dict[str, Special] | None = None) -> TimedActive:
    offer = TimedOffer(Profit(15), sizes, count, special or {})
    return TimedActive(id=76, ticker="EURUSD-OTC", option=offer, deadtime=deadtime)


def test_turbo_counts_from_the_next_boundary_even_in_its_deadtime() -> None:
    assert [one.at for one in turbo_expirations(active(60), at(NOON + 45))] == [NOON + 60, NOON + 120, NOON + 180]


def test_binary_skips_the_boundary_whose_deadtime_has_begun() -> None:
    assert [one.at for one in binary_expirations(active(60), at(NOON + 30))] == [NOON + 60, NOON + 120, NOON + 180]
    assert [one.at for one in binary_expirations(active(60), at(NOON + 31))] == [NOON + 120, NOON + 180, NOON + 240]


def test_on_a_boundary_the_next_one_is_the_first() -> None:
    assert turbo_expirations(active(60), at(NOON))[0].at == NOON + 60


def test_enabled_specials_are_among_the_binary_ones() -> None:
    special = {str(NOON + 100): Special("front.End of week", True), str(NOON + 110): Special("off", False)}
    found = binary_expirations(active(60, special=special), at(NOON))
    assert [(one.at, one.size, one.title) for one in found][1] == (NOON + 100, None, "front.End of week")
    assert len(found) == 4


def test_the_last_moment_of_the_purchase_is_excluded() -> None:
    expiration = Expiration(NOON, deadtime=30)
    assert expiration.purchasable(at(NOON - 30) - timedelta(milliseconds=1))
    assert not expiration.purchasable(at(NOON - 30))


@given(moments, st.lists(sizes, unique=True), st.integers(0, 5), st.integers(0, 30))
def test_every_expiration_is_a_future_multiple_of_its_size(
    now: float, sizes: list[int], count: int, deadtime: int
) -> None:
    offered = active(*sizes, count=count, deadtime=deadtime)
    for expirations in (turbo_expirations(offered, at(now)), binary_expirations(offered, at(now))):
        assert len(expirations) == len(sizes) * count
        assert [one.at for one in expirations] == sorted(one.at for one in expirations)
        assert all(one.size and one.at % one.size == 0 and one.at > now for one in expirations)


@pytest.mark.parametrize("size", [0, -60])
def test_a_size_that_is_none_offers_nothing(size: int) -> None:
    assert turbo_expirations(active(size), at(NOON)) == []
