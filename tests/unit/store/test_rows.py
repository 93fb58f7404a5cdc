"""The same row, as hosted Supabase and as the local server write it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.store import StoreError
from libs.store.rows import read_row, read_rows
from libs.store.scanner import ScannerRow


class Row(msgspec.Struct, frozen=True):
    id: int
    text: str
    is_open: bool
    stake: Decimal
    opened_at: datetime
    quote: float | None = None
    profit: Decimal | None = None
    closed_at: datetime | None = None


money = st.decimals(min_value=Decimal("-1e9"), max_value=Decimal("1e9"), places=4).map(lambda value: value + 0)
quotes = st.floats(min_value=1e-4, max_value=1e6)
times = st.integers(min_value=0, max_value=4 * 10**15).map(
    lambda microseconds: datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
rows = st.builds(
    Row,
    id=st.integers(min_value=1, max_value=2**53),
    text=st.text() | st.just("2026-11-23 13:03:35.86+00") | st.just("12.50"),
    is_open=st.booleans(),
    stake=money,
    opened_at=times,
    quote=st.none() | quotes,
    profit=st.none() | money,
    closed_at=st.none() | times,
)


def as_hosted_writes(row: Row) -> object:
    """PostgREST: numerics are JSON numbers, times ISO 8601."""

    def value(value: object) -> object:
        if isinstance(value, datetime):
            return value.isoformat()
        return float(value) if isinstance(value, Decimal) else value

    return json.loads(json.dumps({name: value(getattr(row, name)) for name in Row.__struct_fields__}))


def as_the_local_server_writes(row: Row) -> object:
    """PostgreSQL's own text for numerics and times."""

    def value(value: object) -> object:
        if isinstance(value, datetime):
            return as_postgresql_prints(value)
        if isinstance(value, float):
            return format(Decimal(repr(value)), "f")
        return format(value, "f") if isinstance(value, Decimal) else value

    return json.loads(json.dumps({name: value(getattr(row, name)) for name in Row.__struct_fields__}))


def as_postgresql_prints(time: datetime) -> str:
    fraction = f".{time.microsecond:06d}".rstrip("0").rstrip(".")
    sign, hours, minutes = f"{time:%z}"[0], f"{time:%z}"[1:3], f"{time:%z}"[3:]
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction}{sign}{hours}" + (f":{minutes}" if minutes != "00" else "")


@given(rows)
def test_both_forms_are_read_as_the_same_row(row: Row) -> None:
    assert read_row(as_hosted_writes(row), Row) == row
    assert read_row(as_the_local_server_writes(row), Row) == row


@given(times, st.integers(min_value=-56, max_value=56))
def test_times_are_utc_whatever_zone_they_are_written_in(time: datetime, quarters: int) -> None:
    elsewhere = time.astimezone(timezone(timedelta(minutes=15 * quarters)))
    for text in (elsewhere.isoformat(), as_postgresql_prints(elsewhere)):
        read = read_row({**EXAMPLE, "opened_at": text}, Row).opened_at
        assert (read, read.utcoffset()) == (time, timedelta())


EXAMPLE = {"id": 7, "text": "a", "is_open": True, "stake": "10.50", "opened_at": "2026-11-23 13:03:35.86+00"}


def test_the_examples_of_the_two_servers() -> None:
    local = read_row(EXAMPLE, Row)
    hosted = read_row({**EXAMPLE, "stake": 10.5, "opened_at": "2026-11-23T13:03:35.86+00:00"}, Row)
    assert local == hosted
    assert local.opened_at == datetime(2026, 11, 23, 13, 3, 35, 860_000, UTC)
    assert local.stake == Decimal("10.5")


def test_columns_that_are_not_asked_for_are_ignored() -> None:
    assert read_row({**EXAMPLE, "added_later": {"at": "now"}}, Row) == read_row(EXAMPLE, Row)


def test_a_big_number_keeps_every_digit_when_it_is_text() -> None:
    assert read_row({**EXAMPLE, "stake": "123456789012345678.12345678"}, Row).stake == Decimal(
        "123456789012345678.12345678"
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("opened_at", "2026-11-23 13:03:35.86"),
        ("opened_at", "yesterday"),
        ("opened_at", None),
        ("stake", "ten"),
        ("id", None),
        ("is_open", "perhaps"),
    ],
)
def test_what_is_no_such_row_is_told_with_its_name(column: str, value: object) -> None:
    with pytest.raises(StoreError, match="Row"):
        read_row({**EXAMPLE, column: value}, Row)


@pytest.mark.parametrize("answer", [None, "<html>", {"id": 1}, 7, [7], ["x"], [None]])
def test_what_are_no_rows_is_refused(answer: object) -> None:
    with pytest.raises(StoreError, match="Row"):
        read_rows(answer, Row)


def test_no_rows_are_no_rows() -> None:
    assert read_rows([], Row) == []


def test_a_performance_need_not_say_when_its_last_signal_was() -> None:
    row = {
        "id": "1", "active_id": "76", "ativo_nome": "EUR/USD OTC", "timeframe": 60, "total_signals": 1, "total_wins": 1,
        "total_losses": 0, "total_ties": 0, "total_timeouts": 0, "win_rate": 100, "wilson_lower": 20.7,
        "window_seconds": 1800, "last_signal": None, "last_updated": "2026-11-24T12:00:00Z",
        "created_at": "2026-11-24T12:00:00Z",
    }  # fmt: skip
    assert read_row(row, ScannerRow).last_signal is None
