"""What is done with a contact, step by step."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import ListQuery
from libs.contracts.rpc import Endpoint


class Workflow(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    status: Literal["draft", "active", "paused"]
    trigger_type: str
    execution_count: int
    created_at: datetime


WORKFLOWS = Endpoint("crm", "workflows", ListQuery, Rows[Workflow])
