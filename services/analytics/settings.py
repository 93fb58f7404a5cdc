from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from libs.service import SupabaseSettings
from libs.service.settings import Port
from services.analytics.sinks.settings import SinkSettings


class Settings(SupabaseSettings, SinkSettings):
    health_port: Port = 4103
    audit_interval: float = Field(default=60.0, gt=0, le=3600)
    """Seconds between two comparisons of the ledger with the broker's books."""
    scanner_interval: float = Field(default=30.0, gt=0, le=3600)
    """Seconds between two counts of how the scanner's signals turned out."""
    scanner_window: int = Field(default=1800, ge=60, le=86400)
    """Seconds in which a signal of the scanner must have been decided to count, and after which it is deleted."""
    scanner_window_candles: int = Field(default=60, ge=15, le=1000)
    """And at least so many candles, so that long ones are ranked, too."""
    alert_drawdown: float = Field(default=15.0, ge=0, le=100)
    """Percent a user's real account may fall below its best of the day before an operator is told; 0: never…"""
    alert_platform_drawdown: float = Field(default=10.0, ge=0, le=100)
    """…and all of them in one currency together."""
    alert_loss_streak: int = Field(default=8, ge=0)
    """Losses in a row on a real account from which an operator is told; 0: never."""
    alert_rejections: int = Field(default=10, ge=0)
    """Rejected orders of one user within ten minutes, likewise."""
    alert_session_patience: float = Field(default=60.0, ge=0)
    """Seconds a running bot may be without its session to the broker."""
    alert_feed_lag: float = Field(default=10.0, ge=0)
    """Seconds candles may come after their close; 0: as they like."""
    alert_patience: float = Field(default=15.0, ge=0)
    """Seconds NATS, the database, a service or punctual candles may be missing, and are back before it is over."""
    alert_services: Annotated[tuple[str, ...], NoDecode] = ("gateway", "bots", "crm", "edge")
    """Services that must be there, separated by commas."""
    log_days: int = Field(default=90, ge=1)
    """Days entries of the administrators' log are kept; who did what is kept for ever."""

    @field_validator("alert_services", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
