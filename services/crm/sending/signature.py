"""Signatures of webhooks, of those we post and those we are posted (Standard Webhooks): HMAC-SHA256 over id, time and
body."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256

_PREFIX = "whsec_"
TOLERANCE = 300
"""Seconds that a signature may be old, or early."""


class BadSignature(Exception):
    """Not made with this secret, for this body, about now."""


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """`timestamp`: epoch seconds."""
    digest = hmac.new(key_of(secret), f"{id}.{timestamp}.".encode() + body, sha256).digest()
    return f"v1,{b64encode(digest).decode()}"


def signed_headers(secrets: Iterable[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Of a post of JSON, signed with each; with none, it is not signed."""
    headers = {"Content-Type": "application/json", "User-Agent": "Pregao-Webhook/1"}
    if signatures := " ".join(sign(secret, id, timestamp, body) for secret in secrets):
        headers |= {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}
    return headers


def check(secret: str, id: str, timestamp: str, signatures: str, body: bytes, now: int) -> None:
    """`signatures`: several, with spaces, while keys are changed. Raises BadSignature."""
    if not (timestamp.isdecimal() and timestamp.isascii() and abs(int(timestamp[:12]) - now) <= TOLERANCE) or not id:
        raise BadSignature
    ours = sign(secret, id, int(timestamp), body)
    if not any(hmac.compare_digest(ours.encode(), each.encode()) for each in signatures.split()):
        raise BadSignature


def key_of(secret: str) -> bytes:
    """Raises ValueError for a `whsec_` secret that is no base64."""
    if secret.startswith(_PREFIX):
        return b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode()
