from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo

from libs.service import Password, ServiceSettings
from libs.service.settings import Port


def _encrypted(url: str, info: ValidationInfo) -> str:
    if urlsplit(url).scheme not in ("ws", "wss", "http", "https"):
        raise ValueError(f"{url!r} is not a URL")
    if info.data.get("mode") == "production" and urlsplit(url).scheme in ("ws", "http"):
        raise ValueError(f"{url!r} is not encrypted, which is refused in production mode")
    return url


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
    broker_api_host: Upstream
    """Where the broker's translations are served: the display names of actives."""
    broker_platform_id: int = 82
    """The application's id at the broker."""
    broker_system_user_id: str = Field(pattern=r"^[0-9]{1,18}$")
    """The broker user with whose session market data is read; it never trades."""
    order_grace: float = Field(default=60.0, ge=0, le=600)
    """Seconds after an order's expiry in which an unanswered one may still turn up in the broker's books."""
