"""The README's table of settings, made from the classes that read them."""

from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.local.settings import LocalSettings
from libs.service import ProcessSettings, ServiceSettings, SupabaseSettings
from services.analytics.settings import Settings as Analytics
from services.bot_runtime.settings import Settings as BotRuntime
from services.broker_gateway.settings import Settings as BrokerGateway
from services.crm.settings import Settings as Crm
from services.paper_broker.settings import Settings as PaperBroker
from services.socket_edge.settings import Settings as SocketEdge

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
_START, _END = "<!-- settings: made by `make settings` -->", "<!-- end of settings -->"

_SHARED = (ProcessSettings, ServiceSettings, SupabaseSettings)
_SECTIONS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("The local stack (`make run`)", LocalSettings),
    ("Every process", ProcessSettings),
    ("Every service on the bus", ServiceSettings),
    ("analytics, crm, socket-edge", SupabaseSettings),
    ("broker-gateway", BrokerGateway),
    ("bot-runtime", BotRuntime),
    ("analytics", Analytics),
    ("crm", Crm),
    ("socket-edge", SocketEdge),
    ("paper-broker", PaperBroker),
)


def table() -> str:
    lines: list[str] = []
    for title, settings in _SECTIONS:
        inherited = {name for shared in _SHARED if shared is not settings for name in _own(shared, settings)}
        rows = [_row(name, field) for name, field in settings.model_fields.items() if name not in inherited]
        lines += [f"**{title}**", "", "| `PREGAO_…` | default | |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _own(shared: type[BaseSettings], settings: type[BaseSettings]) -> set[str]:
    return set(shared.model_fields) if issubclass(settings, shared) else set()


def _row(name: str, field: FieldInfo) -> str:
    says = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{name.upper()}` | {_default(field)} | {says} |"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None or field.default_factory is not None:
        return ""
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    if isinstance(value, Path) and value.is_absolute():
        value = value.relative_to(ROOT)
    return f"`{value}`"


def written(readme: str) -> str:
    """The README with today's table."""
    before, rest = readme.split(_START)
    after = rest.split(_END)[1]
    return f"{before}{_START}\n\n{table()}\n{_END}{after}"


def write() -> None:
    README.write_text(written(README.read_text()))
