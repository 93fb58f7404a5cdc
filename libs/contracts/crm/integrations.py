"""Services that send."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode, Nothing

IntegrationId = Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}" + END)]


class OfIntegration(Message, frozen=True, kw_only=True):
    id: IntegrationId


class Configure(Message, frozen=True, kw_only=True):
    by: str
    id: str
    settings: dict[str, str]


class Integration(Message, frozen=True, kw_only=True):
    """Its secrets are never told, only which are set."""

    id: str
    name: str
    type: Literal["email", "sms", "push", "webhook"]
    status: Literal["active", "inactive"]
    configured: bool
    settings_set: tuple[str, ...] = ()


class Tested(Message, frozen=True, kw_only=True):
    connected: bool
    message: str


class Sending(Message, frozen=True, kw_only=True):
    """How what is sent to contacts stands, by all channels."""

    stopped_at: datetime | None
    """Null: it goes on."""
    stopped_by: str
    why: str
    waiting: int
    sending: int
    unknown: int
    """Of which nobody knows whether they were taken."""
    late: float
    """Seconds the oldest has waited that is due."""


class StopSending(Message, frozen=True, kw_only=True):
    by: str
    stop: bool
    why: str = ""


SENDING = Endpoint("crm", "sending", Nothing, Sending)
STOP_SENDING = Endpoint("crm", "stop_sending", StopSending, Sending)
INTEGRATIONS = Endpoint("crm", "integrations", Nothing, Rows[Integration])
INTEGRATION = Endpoint("crm", "integration", OfIntegration, Integration, (ErrorCode.NOT_FOUND,))
CONFIGURE = Endpoint("crm", "configure", Configure, Integration, (ErrorCode.NOT_FOUND,))
TEST = Endpoint("crm", "test", OfIntegration, Tested, (ErrorCode.NOT_FOUND,), timeout=15.0)
