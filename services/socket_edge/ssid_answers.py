"""What administrators ask and are told of the broker's session ids (api-contract §4.9): never an id, in no part."""

from datetime import datetime
from typing import Literal

from msgspec import field

from libs.contracts.codec import Message
from libs.contracts.rpc import BrokerUserId
from services.socket_edge.requests import Page, Request
from services.socket_edge.responses import Success

SsidsQuery = Page


class OfBrokerUser(Request, frozen=True, kw_only=True, rename="camel"):
    user_id: BrokerUserId
    """The broker's number for the user."""


class SsidLifetime(Message, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    """The broker's number for the user."""
    hours_until_expiry: str


class SsidTotals(Message, frozen=True, kw_only=True, rename="camel"):
    total_cached: int
    active: int
    expired: int
    system_ssid: Literal["active", "not initialized"] = field(name="systemSSID")
    """Of the platform's own session, which market data is read with."""
    active_ssids: list[SsidLifetime] = field(name="activeSSIDs")
    """Of the page that was asked for, the next to expire first…"""
    expired_ssids: list[str] = field(name="expiredSSIDs")
    """…and the broker users on it whose id has expired."""


class SsidKept(Message, frozen=True, kw_only=True, rename="camel"):
    exists: Literal[True] = True
    expires_at: datetime
    hours_until_expiry: str
    is_expired: bool


class NoSsid(Message, frozen=True, kw_only=True):
    exists: Literal[False] = False
    message: str = "There is no session id for this broker user"


class SsidsForgotten(Success, frozen=True, kw_only=True):
    message: str
    cleaned: int
