"""A value in a bucket, as it was read."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    key: str
    value: T
    revision: int
    """The stream sequence it was stored at; grows with every write to the bucket."""
    received: float
    """Monotonic seconds."""
    stored: float = 0.0
    """When, by the server's clock, in epoch seconds; told by mirrors."""
    cause: str = ""
    """What had it stored, if that is traced (`tracing.follow`)."""
