"""Settings of the local stack: where it listens and where it keeps its data.

They are read from the environment (prefix `PREGAO_`). Settings of single services, e.g. `PREGAO_PAPER_SPEED` or
`PREGAO_LOG_LEVEL`, are handed on to them.
"""

from pathlib import Path

from pydantic import DirectoryPath, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.service.settings import PREFIX, Port

ROOT = Path(__file__).resolve().parents[2]
"""Of the repository."""


class LocalSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, case_sensitive=False, extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    local_dir: Path = Path(".local")
    """Everything the stack writes: data, logs, secrets, stack.json."""
    edge_port: Port = 4001
    """REST and Socket.IO."""
    supabase_port: Port = 54321
    """The Supabase-compatible server: Auth and PostgREST."""
    nats_port: Port = 4222
    """The message bus."""
    nats_monitor_port: Port = 8222
    """The message bus's own monitoring pages, and its health."""
    paper_port: Port = 4500
    """The paper broker: WebSocket API and session API."""
    gateway_health_port: Port = 4101
    """/health and /metrics of broker-gateway."""
    bots_health_port: Port = 4102
    """/health and /metrics of bot-runtime."""
    analytics_health_port: Port = 4103
    """/health and /metrics of analytics."""
    crm_health_port: Port = 4104
    """/health and /metrics of crm."""
    edge_health_port: Port = 4105
    """/health and /metrics of socket-edge."""
    paper_health_port: Port = 4106
    """/health and /metrics of the paper broker."""
    mail_port: Port = 1025
    """SMTP that catches every mail…"""
    mail_page_port: Port = 8025
    """…and the page to read them."""
    start_timeout: float = Field(default=90.0, gt=0)
    """Seconds in which nats, supabase and the paper broker must be healthy, and then once more the services."""

    image_root: DirectoryPath | None = None
    """Root file system of a built image (deploy/docker/build.sh): ours run in it, as in a container, instead of in
    this virtual environment; needs root."""

    @property
    def directory(self) -> Path:
        """`local_dir`, absolute."""
        return (ROOT / self.local_dir).resolve()

    def ports(self) -> dict[str, int]:
        """Every port by the environment variable that changes it."""
        fields = (name for name in type(self).model_fields if name.endswith("_port"))
        return {variable(name): getattr(self, name) for name in fields}


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{field.upper()}"
