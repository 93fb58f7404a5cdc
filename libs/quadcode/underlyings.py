"""When an active can be traded digitally or on margin (quadcode-protocol §13.1, §16.1)."""

from datetime import datetime

from msgspec import Struct

from libs.quadcode.epoch import seconds


class TradingSession(Struct, frozen=True):
    open: int
    """Epoch second, inclusive."""
    close: int
    """Epoch second, inclusive."""


class Underlying(Struct, frozen=True, kw_only=True):
    active_id: int
    name: str = ""
    is_suspended: bool = False
    schedule: tuple[TradingSession, ...] = ()

    def tradable(self, at: datetime) -> bool:
        return not self.is_suspended and any(session.open <= seconds(at) <= session.close for session in self.schedule)
