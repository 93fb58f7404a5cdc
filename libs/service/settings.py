"""Settings of a process, read once from the environment (prefix `PREGAO_`) and never changed afterwards.

A service adds its own fields to ServiceSettings; every field's docstring is its documentation.
"""

import os
import socket
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.service.errors import CannotStart
from libs.service.secrets import weakness

PREFIX = "PREGAO_"

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class _Strong:
    """Refuses a weak secret, unless the process runs in local mode."""

    minimum: int

    def __call__(self, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if secret is not None and info.data.get("mode") == "production":
            problem = weakness(secret.get_secret_value(), self.minimum)
            if problem is not None:
                raise ValueError(f"the secret {problem}, which is refused in production mode")
        return secret


Password = Annotated[SecretStr, AfterValidator(_Strong(16))]
"""A password or an API token: at least 16 bytes in production."""
SigningSecret = Annotated[SecretStr, AfterValidator(_Strong(32))]
"""A key of an HMAC: at least 32 bytes in production (RFC 7518 §3.2)."""

Port = Annotated[int, Field(ge=0, le=65535)]


def _instance() -> str:
    return f"{socket.gethostname().lower().replace('.', '-')}-{os.getpid()}"


class ProcessSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        case_sensitive=False,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    mode: Literal["local", "production"] = "local"
    """`production` refuses missing and weak secrets."""
    instance: str = Field(default_factory=_instance, pattern=r"^[A-Za-z0-9_-]+$")
    """Tells the processes of one service apart; by default host name and process id."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What is logged: this and everything graver."""
    health_host: str = "127.0.0.1"
    """Where /health and /metrics listen."""
    health_port: Port = 0
    """0 takes any free port; every service has its own default."""
    traces_url: str | None = Field(default=None, pattern="^https?://")
    """Where traces are sent, as OTLP over HTTP: `http://collector:4318/v1/traces`. Without it nothing is traced."""
    traces_ratio: float = Field(default=0.01, ge=0, le=1)
    """Which part of what happens is traced."""


class ServiceSettings(ProcessSettings):
    """Of a process that talks on the bus."""

    nats_url: str = "nats://127.0.0.1:4222"
    """One or more server URLs, separated by commas."""
    nats_user: str
    """The service's short name; its permissions go with it."""
    nats_password: Password
    nats_ca_file: FilePath | None = None
    """Who has signed the servers' certificates (PEM), if it is nobody the system trusts: `tls://` URLs."""
    nats_replicas: int | None = Field(default=None, ge=1, le=5)
    """Servers of the cluster that keep each stream and bucket; without it one, or what an operator has set."""
    nats_room: float = Field(default=1.0, gt=0, le=1000)
    """How many times the bytes of `libs/bus/topology.py` each stream and bucket may hold."""


class SupabaseSettings(ProcessSettings):
    """Of a process that uses the database; combine: `class Settings(SupabaseSettings, ServiceSettings)`."""

    supabase_url: str = "http://127.0.0.1:54321"
    supabase_secret_key: Password
    """The key of the service role: passes row-level security."""


def load(settings_type: type[SettingsT]) -> SettingsT:
    """Raises CannotStart with one line per bad field, which names its variable."""
    try:
        return settings_type()
    except ValidationError as invalid:
        lines = [_explain(".".join(map(str, error["loc"])), error["msg"]) for error in invalid.errors()]
        raise CannotStart("\n".join(lines)) from None


def _explain(field: str, message: str) -> str:
    return f"{PREFIX}{field.upper()}: {message}"
