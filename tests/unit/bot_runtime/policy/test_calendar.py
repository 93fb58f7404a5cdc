"""Trading days and hours, also where clocks are put forward or back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.money import TradingWindow
from services.bot_runtime.policy.calendar import Calendar

ZONES = [
    "UTC",
    "America/Sao_Paulo",
    "Europe/London",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Pacific/Apia",
]
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)).map(lambda each: each.replace(tzinfo=UTC))  # noqa: DTZ001 - hypothesis wants them naive


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_day_begins_at_local_midnight() -> None:
    calendar = Calendar("America/Sao_Paulo")
    assert calendar.day_of(at("2026-11-25T02:59:59Z")) == "2026-11-24"
    assert calendar.day_of(at("2026-11-25T03:00:00Z")) == "2026-11-25"
    assert calendar.day_start(at("2026-11-25T02:59:59Z")) == at("2026-11-24T03:00:00Z")
    assert calendar.day_end(at("2026-11-25T02:59:59Z")) == at("2026-11-25T03:00:00Z")


@pytest.mark.parametrize(
    ("zone", "noon", "start", "hours"),
    [
        ("Europe/London", "2026-03-29T12:00Z", "2026-03-29T00:00Z", 23),
        ("Europe/London", "2026-10-25T12:00Z", "2026-10-24T23:00Z", 25),
        ("America/Sao_Paulo", "2018-11-04T15:00Z", "2018-11-04T03:00Z", 23),  # there was no midnight
        ("America/Sao_Paulo", "2019-02-16T15:00Z", "2019-02-16T02:00Z", 25),  # 23:00 came twice
    ],
)
def test_days_on_which_clocks_change(zone: str, noon: str, start: str, hours: int) -> None:
    calendar = Calendar(zone)
    assert calendar.day_start(at(noon)) == at(start)
    assert calendar.day_end(at(noon)) - calendar.day_start(at(noon)) == timedelta(hours=hours)


@given(moment=MOMENTS, zone=st.sampled_from(ZONES))
def test_every_moment_is_in_its_day(moment: datetime, zone: str) -> None:
    calendar = Calendar(zone)
    start, end = calendar.day_start(moment), calendar.day_end(moment)
    assert start <= moment < end
    assert calendar.day_of(start) == calendar.day_of(moment) == calendar.day_of(end - timedelta(microseconds=1))
    assert calendar.day_of(end) > calendar.day_of(moment)


WEEKDAYS = (TradingWindow(days=("mon", "tue", "wed", "thu", "fri"), opens="09:00", closes="17:30"),)
NIGHTS = (TradingWindow(days=("sun",), opens="22:00", closes="02:00"),)
ALWAYS = (TradingWindow(opens="00:00", closes="00:00"),)


@pytest.mark.parametrize(
    ("windows", "moment", "opens"),
    [
        (WEEKDAYS, "2026-11-24T08:59:59Z", "2026-11-24T09:00Z"),
        (WEEKDAYS, "2026-11-24T09:00Z", None),
        (WEEKDAYS, "2026-11-24T17:29:59Z", None),
        (WEEKDAYS, "2026-11-24T17:30Z", "2026-11-25T09:00Z"),
        (WEEKDAYS, "2026-11-27T18:00Z", "2026-11-30T09:00Z"),
        (NIGHTS, "2026-11-29T23:00Z", None),
        (NIGHTS, "2026-11-30T01:59Z", None),
        (NIGHTS, "2026-11-30T02:00Z", "2026-12-06T22:00Z"),
        (ALWAYS, "2026-11-24T00:00Z", None),
        (ALWAYS, "2026-11-24T23:59:59Z", None),
    ],
)
def test_trading_hours(windows: tuple[TradingWindow, ...], moment: str, opens: str | None) -> None:
    calendar = Calendar("UTC")
    assert calendar.is_open(windows, at(moment)) is (opens is None)
    if opens is not None:
        assert calendar.next_opening(windows, at(moment)) == at(opens)


def test_trading_hours_are_local() -> None:
    calendar = Calendar("Europe/London")
    assert calendar.is_open(WEEKDAYS, at("2026-07-01T08:30Z"))
    assert not calendar.is_open(WEEKDAYS, at("2026-01-07T08:30Z"))


@given(moment=MOMENTS, zone=st.sampled_from(ZONES), windows=st.sampled_from([WEEKDAYS, NIGHTS, WEEKDAYS + NIGHTS]))
def test_the_next_opening_is_open_and_the_first(
    moment: datetime, zone: str, windows: tuple[TradingWindow, ...]
) -> None:
    calendar = Calendar(zone)
    opening = calendar.next_opening(windows, moment)
    assert opening > moment
    assert calendar.is_open(windows, opening)
    if not calendar.is_open(windows, moment):
        assert not calendar.is_open(windows, opening - timedelta(seconds=1))


def test_clock_hours() -> None:
    moment = at("2026-11-24T12:34:56Z")
    assert Calendar("UTC").hour_end(moment) == at("2026-11-24T13:00Z")
    assert Calendar("Asia/Kathmandu").hour_end(moment) == at("2026-11-24T13:15Z")


@given(moment=MOMENTS, zone=st.sampled_from([*ZONES, "Australia/Lord_Howe"]))
def test_every_moment_is_in_its_hour_and_every_hour_in_a_day(moment: datetime, zone: str) -> None:
    calendar = Calendar(zone)
    end = calendar.hour_end(moment)
    assert moment < end <= moment + timedelta(hours=1)
    assert calendar.hour_of(end - timedelta(microseconds=1)) <= calendar.hour_of(moment)
    assert calendar.hour_of(calendar.day_end(moment)) > calendar.hour_of(moment)
