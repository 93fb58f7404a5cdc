"""What a report tells."""

from datetime import datetime
from decimal import Decimal

from libs.contracts.codec import Message
from libs.contracts.figures import Figures


class AssetBar(Message, frozen=True, kw_only=True):
    asset: str
    trades: int
    """Wins and losses."""
    win_rate: float
    """Percent of them."""
    pnl: Decimal


class Table(Message, frozen=True, kw_only=True):
    title: str
    about: str = ""
    """Which rows they are."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: bool = False
    """Whether there are more rows than a report holds."""


class Report(Message, frozen=True, kw_only=True):
    title: str
    about: str
    """Period and accounts."""
    made_at: datetime
    figures: Figures
    assets: tuple[AssetBar, ...]
    """The most traded first."""
    table: Table
