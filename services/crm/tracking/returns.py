"""Mails about mails: that they could not be delivered (RFC 3464), or that somebody complained (RFC 5965)."""

import email.policy
import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import Literal

_PARSER = BytesParser(policy=email.policy.default)
_STATUS = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})")
_NOT_THE_ADDRESS = ("5.2.2", "5.3.4", "5.4.", "5.6.", "5.7.")
"""Failures for good that say nothing of the address: it is full, or the mail is too large, or not wanted."""


@dataclass(frozen=True, slots=True)
class Returned:
    kind: Literal["delivered", "bounce", "complaint"]
    hard: bool = False
    """There is no such address."""
    why: str = ""


def read(data: bytes) -> Returned | None:
    """None: it is about something else, such as that somebody is on holiday."""
    message = _PARSER.parsebytes(data)
    if message.get_content_type() != "multipart/report":
        return None
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/feedback-report":
            return Returned("complaint", why=_fields(part).get("feedback-type", "")[:100])
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            return _delivery(_fields(part))
    return None


def _delivery(fields: dict[str, str]) -> Returned | None:
    action = fields.get("action", "").lower()
    status = _STATUS.match(fields.get("status", ""))
    why = " ".join(f"{fields.get('status', '')} {fields.get('diagnostic-code', '')}".split())[:300]
    if action in ("delivered", "relayed", "expanded"):
        return Returned("delivered")
    if action != "failed" or status is None:
        return None  # delayed: it is still being tried
    code = ".".join(status.groups())
    hard = code.startswith("5.") and not code.startswith(_NOT_THE_ADDRESS)
    return Returned("bounce", hard, why)


def _fields(part: Message) -> dict[str, str]:
    """Of all its blocks; the last that names something counts, which is the recipient's."""
    payload = part.get_payload()
    blocks = [block for block in payload if isinstance(block, Message)] if isinstance(payload, list) else []
    found = {name.lower(): str(value) for block in blocks for name, value in block.items()}
    if isinstance(payload, str):
        lines = (line.partition(":") for line in payload.splitlines())
        found |= {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
    return found
