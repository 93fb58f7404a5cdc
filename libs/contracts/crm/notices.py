"""What a trading user is told in the application (subject `notice.{user}`)."""

from datetime import datetime

from libs.contracts.codec import Message
from libs.contracts.rpc import UserId


class Notice(Message, frozen=True, kw_only=True):
    id: str
    at: datetime
    user: UserId
    title: str
    body: str
