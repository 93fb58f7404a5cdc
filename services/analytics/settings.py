from pydantic import Field

from libs.service import ServiceSettings, SupabaseSettings
from libs.service.settings import Port


class Settings(SupabaseSettings, ServiceSettings):
    health_port: Port = 4103
    audit_interval: float = Field(default=60.0, gt=0, le=3600)
    """Seconds between two comparisons of the ledger with the broker's books."""
    scanner_interval: float = Field(default=30.0, gt=0, le=3600)
    """Seconds between two counts of how the scanner's signals turned out."""
    scanner_window: int = Field(default=1800, ge=60, le=86400)
    """Seconds in which a signal of the scanner must have been decided to count, and after which it is deleted."""
    scanner_window_candles: int = Field(default=60, ge=15, le=1000)
    """And at least so many candles, so that long ones are ranked, too."""
