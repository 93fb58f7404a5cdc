"""When users were here, as an edge has seen it (stream VISITS)."""

from datetime import datetime

from libs.contracts.codec import Message


class Seen(Message, frozen=True, kw_only=True):
    """A user asked something, or had a socket, at both times and in between."""

    user: str
    first: datetime
    last: datetime


class UsersSeen(Message, frozen=True, kw_only=True):
    """Of one edge, since it told last. To be told twice does no harm."""

    id: str
    at: datetime
    seen: tuple[Seen, ...]
