"""What administrators ask of the broker's session ids (api-contract §4.9), answered by any gateway.

None of it has a session id in it: whoever has one can trade.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from libs.contracts.codec import Message
from libs.contracts.rpc import BrokerUserId, Endpoint, ErrorCode, UserId


class KeptSsid(Message, frozen=True, kw_only=True):
    """That there is a session id for a broker user."""

    broker_user_id: str
    expires_at: datetime
    """When the broker stops accepting it."""
    expired: bool


class SsidPage(Message, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=200)] = 200
    offset: Annotated[int, Meta(ge=0)] = 0


class SsidStats(Message, frozen=True, kw_only=True):
    total: int
    expired: int
    """Of these."""
    system_active: bool
    """Whether market data can be read."""
    page: tuple[KeptSsid, ...]
    """The next to expire first."""


class OfBrokerUser(Message, frozen=True, kw_only=True):
    broker_user_id: BrokerUserId


class SsidStatus(Message, frozen=True, kw_only=True):
    kept: KeptSsid | None


class RenewSsid(OfBrokerUser, frozen=True, kw_only=True):
    by: UserId
    """An administrator, as the edge has verified."""


class CleanUpSsids(Message, frozen=True, kw_only=True):
    by: UserId
    """An administrator, as the edge has verified."""


class SsidsCleaned(Message, frozen=True, kw_only=True):
    cleaned: int


SSID_STATS = Endpoint("gateway", "ssid_stats", SsidPage, SsidStats)
SSID_STATUS = Endpoint("gateway", "ssid_status", OfBrokerUser, SsidStatus)
RENEW_SSID = Endpoint(
    "gateway", "renew_ssid", RenewSsid, KeptSsid,
    (ErrorCode.NOT_FOUND, ErrorCode.BROKER_REFUSED, ErrorCode.BROKER_UNREACHABLE), timeout=12.0,
)  # fmt: skip
"""Of a broker user whom somebody wants a session of, or who has an id. The open session goes over to the new one, on
whichever gateway it is, when no order of it waits for an answer."""
CLEAN_UP_SSIDS = Endpoint("gateway", "clean_up_ssids", CleanUpSsids, SsidsCleaned)
"""Forgets ids that have expired; usually they are gone by themselves."""
