"""The broker's times (quadcode-protocol §19): seconds, milliseconds or nanoseconds since the epoch."""

from datetime import UTC, datetime, timedelta

NANOSECONDS = 1_000_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_seconds(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def from_milliseconds(milliseconds: float) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def from_nanoseconds(nanoseconds: int) -> datetime:
    """To the microsecond; exact, where a float would not be."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def seconds(at: datetime) -> int:
    """Whole seconds, rounded down."""
    return int(at.timestamp() // 1)
