"""What is sent to a segment."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import ListQuery
from libs.contracts.rpc import Endpoint


class Campaign(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    channel: Literal["email", "sms", "push", "webhook"]
    status: Literal["draft", "scheduled", "sending", "sent", "paused", "cancelled"]
    created_at: datetime


CAMPAIGNS = Endpoint("crm", "campaigns", ListQuery, Rows[Campaign])
