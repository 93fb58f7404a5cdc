"""The secrets of a local stack: made at its first start, kept in one file that only its owner can read."""

import base64
import hashlib
from pathlib import Path
from secrets import token_bytes, token_urlsafe

import msgspec

from deploy.local.private_file import write_private
from libs.bus.permissions import ADMIN, SERVICES
from libs.service import CannotStart


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    nats: dict[str, str]
    """Password by NATS user."""
    supabase_jwt_secret: str
    supabase_publishable_key: str
    supabase_secret_key: str
    broker_api_token: str
    """Bearer token of the broker's session API."""
    session_key: str = msgspec.field(default_factory=lambda: base64.b64encode(token_bytes(32)).decode())
    """What broker-gateway encrypts session ids with."""
    crm_key: str = msgspec.field(default_factory=lambda: token_urlsafe(48))
    """What links in mails are signed with, and secrets of the CRM are sealed with."""
    demo_password: str
    admin_password: str


def load_or_create(path: Path) -> Secrets:
    """The secrets kept at `path`; those that are missing there are made. Raises CannotStart when it is damaged."""
    fresh = generate()
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Secrets)
    except FileNotFoundError:
        kept = fresh
    except msgspec.MsgspecError as error:
        raise CannotStart(f"{path} is damaged ({error}): restore it, or `make clean` to begin anew") from error
    secrets = msgspec.structs.replace(kept, nats=fresh.nats | kept.nats)
    write_private(path, msgspec.json.format(msgspec.json.encode(secrets)).decode())
    return secrets


def generate() -> Secrets:
    return Secrets(
        nats={user: token_urlsafe(24) for user in (*SERVICES, ADMIN)},
        supabase_jwt_secret=token_urlsafe(48),
        supabase_publishable_key=supabase_key("publishable"),
        supabase_secret_key=supabase_key("secret"),
        broker_api_token=token_urlsafe(24),
        demo_password=token_urlsafe(12),
        admin_password=token_urlsafe(12),
    )


def supabase_key(kind: str) -> str:
    """An API key as Supabase's own tools make them: `sb_{kind}_{22 random characters}_{8 of a checksum}`."""
    body = f"sb_{kind}_{_base64(token_bytes(17))[:22]}"
    checksum = _base64(hashlib.sha256(f"supabase-self-hosted|{body}".encode()).digest())
    return f"{body}_{checksum[:8]}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
