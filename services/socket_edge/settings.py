from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import DirectoryPath, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from libs.service import SigningSecret, SupabaseSettings
from libs.service.settings import Port
from services.socket_edge.socket_settings import SocketSettings

_CLIENT_PORTS = (5173, 4173, 5174)
"""Where the two clients run in development, preview and administration (api-contract §2.6)."""


class Settings(SupabaseSettings, SocketSettings):
    health_port: Port = 4105
    edge_host: str = "127.0.0.1"
    """Where the edge listens; `0.0.0.0` behind a proxy that speaks TLS."""
    edge_port: Port = 4001
    """REST and Socket.IO."""
    edge_idle: float = Field(default=75.0, gt=0, le=3600)
    """Seconds after which a connection is closed on which no request came, or only the beginning of one; more than
    those of a proxy before the edge."""
    edge_cors_origins: Annotated[tuple[str, ...], NoDecode] = tuple(
        f"http://localhost:{port}" for port in _CLIENT_PORTS
    )
    """Origins of browsers that may call, separated by commas; the edge's own origin always may."""
    edge_auth: Literal["strict", "legacy"] = "strict"
    """`legacy` believes a request without a token whom it names: for old clients on one machine, never elsewhere."""
    edge_admin_second_factor: bool = False
    """Whether administrators must have logged in with a second factor (`aal2` of Supabase Auth), or count as users."""
    edge_visit_interval: float = Field(default=60.0, gt=0, le=600)
    """Seconds between two messages that say which users were here."""
    edge_client_dir: DirectoryPath | None = None
    """The traders' client as it was built: served from here, with its users' tokens…"""
    edge_admin_dir: DirectoryPath | None = None
    """…and the administrators', below /admin."""
    edge_trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Networks of the proxies before the edge, separated by commas: only their `X-Forwarded-For` counts. Without
    them everybody behind one has the same address, and shares what may come from it."""
    edge_rate_poll: int = Field(default=600, ge=1)
    """Requests of one user in a minute, at once or spread, that are answered from memory…"""
    edge_rate_read: int = Field(default=240, ge=1)
    """…that read elsewhere…"""
    edge_rate_write: int = Field(default=60, ge=1)
    """…that change something…"""
    edge_rate_costly: int = Field(default=20, ge=1)
    """…and that are work for the broker or a risk, such as connecting and starting a bot."""
    edge_rate_of_address: int = Field(default=10, ge=1)
    """How many times as much may come from one address; without a token, as much as from one user."""
    supabase_jwt_secret: SigningSecret | None = None
    """Of projects that sign access tokens with HS256."""
    supabase_jwt_issuer: str | None = None
    """Required `iss` of access tokens, if set: `https://<project>.supabase.co/auth/v1`."""
    supabase_jwks_url: str | None = None
    """Of projects that sign with ES256 or RS256: `https://<project>.supabase.co/auth/v1/.well-known/jwks.json`."""

    @field_validator("edge_auth")
    @classmethod
    def _legacy_is_local(cls, auth: str, info: ValidationInfo) -> str:
        host = str(info.data.get("edge_host"))
        if auth == "legacy" and not (info.data.get("mode") == "local" and host in ("127.0.0.1", "::1", "localhost")):
            raise ValueError("anybody could act for anybody: needs PREGAO_MODE=local and a loopback PREGAO_EDGE_HOST")
        return auth

    @field_validator("edge_client_dir", "edge_admin_dir")
    @classmethod
    def _has_a_page(cls, directory: Path | None) -> Path | None:
        if directory is not None and not (directory / "index.html").is_file():
            raise ValueError("there is no index.html in it")
        return directory

    @field_validator(
        "edge_client_dir", "edge_admin_dir", "supabase_jwt_secret", "supabase_jwt_issuer", "supabase_jwks_url",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("edge_cors_origins", "edge_trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("edge_cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin:
                raise ValueError(f"{origin!r} is not an origin such as https://app.example.com")
        return origins

    @field_validator("supabase_jwks_url")
    @classmethod
    def _some_key(cls, url: str | None, info: ValidationInfo) -> str | None:
        if not url and info.data.get("supabase_jwt_secret") is None:
            raise ValueError("needed, unless PREGAO_SUPABASE_JWT_SECRET is set")
        return url
