"""What who delivers posts of mails, signed (Standard Webhooks).

`{"events": [{"id", "type": "delivered" | "bounce" | "complaint", "mail": the Message-ID or its id, "hard", "reason"}]}`
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from libs.contracts.clock import Clock
from libs.contracts.codec import Message
from libs.contracts.crm import tracking as rpc
from libs.contracts.pattern import END
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.tracking import Returned, Tracking
from services.crm.answering import Answer, not_found
from services.crm.sending.signature import BadSignature, check
from services.crm.templates.formats import one_line
from services.crm.tracking.bounces import returned


class MailEvent(Message, frozen=True, kw_only=True):
    id: Annotated[str, Meta(pattern=r"^[\x20-\x7e]{1,200}" + END)]
    type: Literal["delivered", "bounce", "complaint"]
    mail: Annotated[str, Meta(max_length=300)]
    hard: bool = False
    reason: Annotated[str, Meta(max_length=2000)] = ""


class Posted(Message, frozen=True, kw_only=True):
    events: Annotated[tuple[MailEvent, ...], Meta(max_length=1000)]


class EventDesk:
    """Raises RpcError: NOT_FOUND, INVALID_REQUEST."""

    def __init__(self, tracking: Tracking, secret: str | None, clock: Clock, told: Callable[[], None]) -> None:
        self._tracking = tracking
        self._secret = secret
        self._clock = clock
        self._told = told

    def endpoints(self) -> dict[Any, Answer]:
        return {rpc.MAIL_EVENTS: self.take}

    async def take(self, request: rpc.MailEvents) -> rpc.Noted:
        if self._secret is None:
            raise not_found("webhook")
        try:
            now = int(self._clock.now().timestamp())
            check(self._secret, request.id, request.timestamp, request.signature, request.body.encode(), now)
        except BadSignature:
            raise not_found("webhook") from None
        try:
            posted = msgspec.json.decode(request.body, type=Posted)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise RpcError(ErrorCode.INVALID_REQUEST, f"the body is not as agreed: {error}") from None
        rows = [row for event in posted.events if (row := _row(event)) is not None]
        noted = await self._tracking.returned(rows) if rows else 0
        for row in rows:
            returned.labels(row.kind, "webhook").inc()
        if noted:
            self._told()
        return rpc.Noted(events=noted)


def _row(event: MailEvent) -> Returned | None:
    """None: it is of no mail of ours."""
    try:
        mail = UUID(event.mail.strip("<> ").partition("@")[0])
    except ValueError:
        return None
    return Returned(mail=mail, event=event.id, kind=event.type, hard=event.hard, why=one_line(event.reason))
