"""What is written."""

from datetime import datetime
from uuid import UUID

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import ListQuery
from libs.contracts.rpc import Endpoint


class Template(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    category: str
    variables: tuple[str, ...]
    created_at: datetime


TEMPLATES = Endpoint("crm", "templates", ListQuery, Rows[Template])
