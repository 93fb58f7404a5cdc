import base64
import binascii
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo

from libs.service import Password, ServiceSettings
from libs.service.settings import Port
from services.broker_gateway.vault import KEY_BYTES


def _encrypted(url: str, info: ValidationInfo) -> str:
    if urlsplit(url).scheme not in ("ws", "wss", "http", "https"):
        raise ValueError(f"{url!r} is not a URL")
    if info.data.get("mode") == "production" and urlsplit(url).scheme in ("ws", "http"):
        raise ValueError(f"{url!r} is not encrypted, which is refused in production mode")
    return url


def _session_keys(keys: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    if keys is None and info.data.get("mode") == "production":
        raise ValueError("is required in production mode")
    if keys is not None:
        _decoded(keys)
    return keys


def _decoded(keys: SecretStr) -> tuple[bytes, ...]:
    try:
        decoded = tuple(base64.b64decode(key, validate=True) for key in keys.get_secret_value().split(","))
    except binascii.Error as error:
        raise ValueError("must be base64, several keys separated by commas") from error
    if any(len(key) != KEY_BYTES for key in decoded):
        raise ValueError(f"each key must have {KEY_BYTES} bytes")
    return decoded


Upstream = Annotated[str, AfterValidator(_encrypted)]
"""A URL of the broker's; `wss` or `https` in production."""


class Settings(ServiceSettings):
    health_port: Port = 4101
    broker_ws_url: Upstream
    """The broker's WebSocket, e.g. `wss://ws.trade.<brand>/echo/websocket`."""
    broker_session_url: Upstream
    """The operator's session API: `POST {url}/{broker user id}` answers a session id."""
    broker_api_token: Password
    """Bearer token of the session API."""
    broker_users_url: Upstream | None = None
    """Where users sign up at the broker: `POST {url}`. Without it nobody can."""
    broker_users_token: Password | None = None
    """Bearer token of that; by default the session API's."""
    broker_api_host: Upstream
    """Where the broker's translations are served: the display names of actives."""
    broker_platform_id: int = 82
    """The application's id at the broker."""
    broker_system_user_id: str = Field(pattern=r"^[1-9][0-9]{0,17}$")
    """The broker user with whose session market data is read; it never trades."""
    session_keys: Annotated[SecretStr | None, AfterValidator(_session_keys)] = None
    """What session ids are encrypted with in NATS: 32 bytes in base64; more keys, after commas, only decrypt.

    Required in production; without one, ids are not remembered over a restart."""
    session_validity: float = Field(default=86400.0, ge=1, le=604800)
    """Seconds the broker accepts a session id; it is renewed after 22/24 to 23/24 of them."""
    order_grace: float = Field(default=60.0, ge=0, le=600)
    """Seconds in which the broker's books may still tell of an unanswered order or, after its expiry, of a result."""

    def vault_keys(self) -> tuple[bytes, ...]:
        """The keys of `session_keys`, or one that nobody will know again."""
        return _decoded(self.session_keys) if self.session_keys is not None else (secrets.token_bytes(KEY_BYTES),)
