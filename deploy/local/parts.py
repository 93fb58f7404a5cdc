"""The processes of the local stack: what each is told, how it is started, when it is healthy."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.nats import server_path
from deploy.local.ports import HOST
from deploy.local.secrets import Secrets
from deploy.local.settings import LocalSettings, variable
from deploy.local.supabase import Server

BROKER_PLATFORM_ID = "82"
"""Avalon's (quadcode-protocol)."""
BROKER_SYSTEM_USER_ID = "1000001"
"""The account at the paper broker that market data is read with."""
IMAGE_USER = 10001
"""Who runs what is in the image (deploy/docker/Dockerfile)."""
_ENTER = Path(__file__).parents[1] / "docker" / "enter.sh"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    command: tuple[str, ...]
    health: str
    """URL that answers 200 when this part can do its work."""
    settings: tuple[str, ...]
    """The settings that change its ports."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What this process alone is told."""
    directory: Path | None = None
    """Where it runs; the repository by default."""

    def log(self, directory: Path) -> Path:
        return directory / "logs" / f"{self.name}.log"


class Parts:
    """Every part of one stack."""

    def __init__(self, settings: LocalSettings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        self._directory = settings.directory
        self.supabase = Server(
            directory=self._directory / "supabase",
            port=settings.supabase_port,
            jwt_secret=secrets.supabase_jwt_secret,
            publishable_key=secrets.supabase_publishable_key,
            secret_key=secrets.supabase_secret_key,
        )
        self.nats_url = f"nats://{HOST}:{settings.nats_port}"
        self.edge_url = f"http://{HOST}:{settings.edge_port}"
        self.broker_ws_url = f"ws://{HOST}:{settings.paper_port}/echo/websocket"
        self.broker_api_url = f"http://{HOST}:{settings.paper_port}"
        self.broker_session_url = f"{self.broker_api_url}/sessions"
        self.mail_url = f"http://{HOST}:{settings.mail_page_port}"
        self.broker_control_url = f"{self.broker_api_url}/control"

    def infrastructure(self) -> tuple[Part, ...]:
        """What the services stand on; it is started before them and outlives them."""
        return (self._nats(), self._supabase_server(), self._paper_broker(), self._mailbox())

    def services(self) -> tuple[Part, ...]:
        return (
            self._service("gateway", "broker_gateway", self._broker()),
            self._service("bots", "bot_runtime"),
            self._service("analytics", "analytics", self._supabase()),
            self._service("crm", "crm", self._supabase() | self._crm()),
            self._service("edge", "socket_edge", self._supabase() | self._edge(), ports=("edge_port",)),
        )

    def _nats(self) -> Part:
        return Part(
            name="nats",
            command=(str(server_path()), "-c", str(self._directory / "nats.conf")),
            health=f"http://{HOST}:{self._settings.nats_monitor_port}/healthz",
            settings=(variable("nats_port"), variable("nats_monitor_port")),
        )

    def _supabase_server(self) -> Part:
        return Part(
            name="supabase",
            command=self.supabase.command,
            health=self.supabase.health,
            settings=(variable("supabase_port"),),
            environment=self.supabase.environment,
            directory=self.supabase.directory,
        )

    def _paper_broker(self) -> Part:
        told = {
            "PREGAO_PAPER_HOST": HOST,
            "PREGAO_PAPER_PORT": str(self._settings.paper_port),
            "PREGAO_PAPER_API_TOKEN": self._secrets.broker_api_token,
            "PREGAO_PAPER_DATABASE": f"{self._data()}/paper-broker.sqlite3",
            "PREGAO_PAPER_CONTROL": "true",
        }
        return self._process("paper-broker", "paper_broker", "paper_health_port", told, ports=("paper_port",))

    def _mailbox(self) -> Part:
        settings = self._settings
        told = (str(self._directory / "mail"), str(settings.mail_port), str(settings.mail_page_port))
        return Part(
            name="mailbox",
            command=(sys.executable, "-m", "deploy.local.mailbox", *told),
            health=f"{self.mail_url}/",
            settings=(variable("mail_port"), variable("mail_page_port")),
        )

    def _service(
        self, name: str, package: str, told: Mapping[str, str] | None = None, ports: tuple[str, ...] = ()
    ) -> Part:
        bus = {
            "PREGAO_NATS_URL": self.nats_url,
            "PREGAO_NATS_USER": name,
            "PREGAO_NATS_PASSWORD": self._secrets.nats[name],
        }
        return self._process(name, package, f"{name}_health_port", {**bus, **(told or {})}, ports)

    def _process(
        self, name: str, package: str, health_port: str, told: Mapping[str, str], ports: tuple[str, ...]
    ) -> Part:
        port: int = getattr(self._settings, health_port)
        common = {"PREGAO_MODE": "local", "PREGAO_HEALTH_HOST": HOST, "PREGAO_HEALTH_PORT": str(port)}
        return Part(
            name=name,
            command=self._command(f"services.{package}"),
            health=f"http://{HOST}:{port}/health/ready",
            settings=tuple(variable(port) for port in (*ports, health_port)),
            environment={**common, **told},
        )

    def _command(self, module: str) -> tuple[str, ...]:
        root = self._settings.image_root
        if root is None:
            return (sys.executable, "-m", module)
        data = self._directory / "data"
        if not data.exists():
            data.mkdir(mode=0o700, parents=True)
            os.chown(data, IMAGE_USER, IMAGE_USER)
        return (str(_ENTER), str(root.resolve()), str(data), "python3", "-m", module)

    def _data(self) -> str:
        """Where what is ours keeps its files, as it sees it."""
        return str(self._directory) if self._settings.image_root is None else "/data"

    def _broker(self) -> dict[str, str]:
        return {
            "PREGAO_BROKER_WS_URL": self.broker_ws_url,
            "PREGAO_BROKER_SESSION_URL": self.broker_session_url,
            "PREGAO_BROKER_USERS_URL": f"{self.broker_api_url}/users",
            "PREGAO_BROKER_API_HOST": self.broker_api_url,
            "PREGAO_BROKER_API_TOKEN": self._secrets.broker_api_token,
            "PREGAO_SESSION_KEYS": self._secrets.session_key,
            "PREGAO_BROKER_PLATFORM_ID": BROKER_PLATFORM_ID,
            "PREGAO_BROKER_SYSTEM_USER_ID": BROKER_SYSTEM_USER_ID,
        }

    def _supabase(self) -> dict[str, str]:
        return {
            "PREGAO_SUPABASE_URL": self.supabase.url,
            "PREGAO_SUPABASE_PUBLISHABLE_KEY": self._secrets.supabase_publishable_key,
            "PREGAO_SUPABASE_SECRET_KEY": self._secrets.supabase_secret_key,
        }

    def _crm(self) -> dict[str, str]:
        return {
            "PREGAO_CRM_KEYS": self._secrets.crm_key,
            "PREGAO_MAIL_SMTP_HOST": HOST,
            "PREGAO_MAIL_SMTP_PORT": str(self._settings.mail_port),
            "PREGAO_MAIL_SMTP_SECURITY": "none",
            "PREGAO_MAIL_PUBLIC_URL": self.edge_url,
        }

    def _edge(self) -> dict[str, str]:
        return {
            "PREGAO_EDGE_HOST": HOST,
            "PREGAO_EDGE_PORT": str(self._settings.edge_port),
            "PREGAO_SUPABASE_JWT_SECRET": self._secrets.supabase_jwt_secret,
        }
