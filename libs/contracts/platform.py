"""What administrators allow: for the whole platform, and for one user (KV `platform`)."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from libs.contracts.bounds import check
from libs.contracts.codec import Message


class UserLimits(Message, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What no configuration of a bot gets around; None: the platform's, or without that no limit."""

    trading: bool = True
    """False: nothing is opened; what is open is followed to its end."""
    real_account: bool = True
    """False: only the demo account is traded on."""
    max_stake: Decimal | None = None
    max_trades_per_day: Annotated[int, Meta(ge=1, le=10000)] | None = None
    max_daily_loss: Decimal | None = None
    """Per day of UTC and account type; stakes are lowered so that it is never passed."""
    max_open_positions: Annotated[int, Meta(ge=1, le=10)] | None = None

    def __post_init__(self) -> None:
        money = (Decimal("0.01"), Decimal(1_000_000))
        check(self, {"max_stake": money, "max_daily_loss": money})


class BarredUser(Message, frozen=True, kw_only=True):
    """Who may not come in: banned or deleted at the Auth server (KV `platform`). Nothing is done for them any more, and
    their bots stop."""

    user: str
    at: datetime


class Platform(Message, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    maintenance: bool = False
    """The kill switch: no bot starts and none opens anything; what is open is followed to its end."""
    notice: Annotated[str, Meta(max_length=200)] = ""
    """Why, for users."""
    max_bots: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000
    """That run at the same time; those that run go on when it is lowered."""
    limits: UserLimits = UserLimits()
    """Of every user; the stricter of these and the user's own counts."""


class PlatformRecord(Message, frozen=True, kw_only=True):
    at: datetime
    by: str
    """The administrator's user id."""
    value: Platform


class UserLimitsRecord(Message, frozen=True, kw_only=True):
    at: datetime
    by: str
    """The administrator's user id."""
    value: UserLimits
