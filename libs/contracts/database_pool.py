"""How analytics' connections to the database are (api-contract §4.7), in the original's names."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from libs.contracts.codec import Message

State = Literal["healthy", "unhealthy"]


class PoolHealth(Message, frozen=True, kw_only=True, rename="camel"):
    healthy: bool
    utilization_rate: str
    """Connections in use out of those there may be, as percent with two decimals: `15.00%`."""
    success_rate: str
    """Of all requests so far, written alike."""
    status: str
    last_check: datetime | None
    """None before the first."""


class PoolConfiguration(Message, frozen=True, kw_only=True, rename="camel"):
    max_connections: int
    min_connections: int
    connection_timeout: int
    """Milliseconds."""
    max_retries: int


class PoolNow(Message, frozen=True, kw_only=True, rename="camel"):
    active_connections: int
    failed_connections: int
    successful_connections: int


class PoolMetrics(Message, frozen=True, kw_only=True, rename="camel"):
    """Since the process started."""

    total_queries: int
    total_retries: int
    failed_queries: int
    average_query_time: float
    """Milliseconds."""


class PoolCheck(Message, frozen=True, kw_only=True, rename="camel"):
    timestamp: datetime
    response_time: float
    """Milliseconds."""
    status: State
    active_connections: int
    error: str | UnsetType = UNSET
    """What went wrong, in words that say nothing of the inside."""


class PoolStats(Message, frozen=True, kw_only=True, rename="camel"):
    connected: bool
    configuration: PoolConfiguration
    current: PoolNow
    metrics: PoolMetrics
    last_health_check: PoolCheck | None
    """None before the first."""


class DatabasePool(Message, frozen=True, kw_only=True):
    status: State
    health: PoolHealth
    stats: PoolStats
    timestamp: datetime
