"""Envelopes of the CRM's answers (api-contract §3.18, §4.10)."""

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta

from libs.contracts.crm import Contact, Integration
from services.socket_edge.requests import Request
from services.socket_edge.responses import Success

T = TypeVar("T")


class Listed(Success, Generic[T], frozen=True, kw_only=True, rename="camel"):
    data: tuple[T, ...]
    total: int
    limit: int
    offset: int


class Created(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    data: Contact


class SettingsBody(Request, frozen=True, kw_only=True):
    """Fields by name; which there are depends on the service that sends."""

    settings: Annotated[dict[str, Annotated[str, Meta(max_length=4096)]], Meta(min_length=1, max_length=32)]


class Configured(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    data: Integration


class TestAnswer(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    connection_status: Literal["connected", "failed"]
