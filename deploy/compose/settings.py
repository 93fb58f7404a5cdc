"""The settings in docker-compose.yml: every one of each service may be given in `.env` under its own name.

A name without a value is handed on when it is set, and is not there when it is not. So no default is written twice.
"""

from deploy.services import OWN, SERVICES
from deploy.settings_table import ROOT
from libs.service.settings import PREFIX

COMPOSE = ROOT / "docker-compose.yml"
_TOLD = ("health_host", "health_port", "nats_url", "supabase_url", "supabase_secret_key")
"""What docker-compose.yml says itself, of several services in one place: merged mappings must not disagree, since not
every reader of YAML takes the first of them."""
_START, _END = "# settings: made by `make settings`", "# end of settings"


def passed_on() -> str:
    lines = ["x-settings:"]
    for name, service in SERVICES.items():
        lines.append(f"  {name}: &{name}-settings")
        lines += [
            f"    {PREFIX}{field.upper()}:" for field in service.settings.model_fields if field not in (OWN, *_TOLD)
        ]
    return "\n".join(lines)


def written(compose: str) -> str:
    """The file with today's settings."""
    before, rest = compose.split(_START)
    after = rest.split(_END)[1]
    return f"{before}{_START}\n{passed_on()}\n{_END}{after}"


def write() -> None:
    COMPOSE.write_text(written(COMPOSE.read_text()))
