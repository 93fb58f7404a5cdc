"""Contacts that a rule picks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import ListQuery
from libs.contracts.rpc import Endpoint


class Segment(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    rules: dict[str, Any]
    contact_count: int
    created_at: datetime


SEGMENTS = Endpoint("crm", "segments", ListQuery, Rows[Segment])
