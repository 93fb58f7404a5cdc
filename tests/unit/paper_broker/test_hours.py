from datetime import UTC, datetime
from itertools import pairwise

import pytest

from services.paper_broker.hours import Place, is_open, sessions


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


TUESDAY, SATURDAY = "2026-11-24", "2026-11-28"


@pytest.mark.parametrize("day", [TUESDAY, SATURDAY])
@pytest.mark.parametrize("time", ["00:00:00", "03:00:00", "23:59:59"])
def test_otc_and_crypto_are_always_open(day: str, time: str) -> None:
    assert is_open(Place.ALWAYS, at(f"{day}T{time}"))


@pytest.mark.parametrize(
    ("place", "opens", "closes"),
    [
        (Place.US, "14:30:00", "21:00:00"),
        (Place.EUROPE, "08:00:00", "16:30:00"),
        (Place.ASIA, "00:00:00", "06:00:00"),
        (Place.FOREX, "00:00:00", "22:00:00"),
    ],
)
def test_others_are_open_on_weekdays_within_inclusive_bounds(place: Place, opens: str, closes: str) -> None:
    first, last = at(f"{TUESDAY}T{opens}"), at(f"{TUESDAY}T{closes}")
    assert is_open(place, first)
    assert is_open(place, last)
    assert not is_open(place, last + 1)
    assert not is_open(place, first - 1) or place in (Place.ASIA, Place.FOREX)
    assert not is_open(place, at(f"{SATURDAY}T{opens}"))


def test_the_week_ahead_is_shown_without_its_weekend() -> None:
    week = sessions(Place.US, at(f"{TUESDAY}T12:00:00"))
    assert [datetime.fromtimestamp(session.opens, UTC).strftime("%a") for session in week] == [
        "Tue", "Wed", "Thu", "Fri", "Mon", "Tue",
    ]  # fmt: skip


def test_sessions_that_never_end_join_without_a_gap() -> None:
    week = sessions(Place.ALWAYS, at(f"{TUESDAY}T12:00:00"))
    assert all(before.closes == after.opens for before, after in pairwise(week))


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("day", [TUESDAY, SATURDAY])
def test_what_is_shown_is_what_is_true(place: Place, day: str) -> None:
    for second in range(at(f"{day}T00:00:00"), at(f"{day}T23:59:59"), 600):
        shown = any(session.opens <= second <= session.closes for session in sessions(place, second))
        assert is_open(place, second) is shown
