"""docker-compose.yml as Compose reads it: merged, and with what `.env` tells."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from deploy.compose.settings import COMPOSE

_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")

NOW = 1_800_000_000.0


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def merged(told: Mapping[str, str]) -> dict[str, Any]:
    """With every variable replaced."""

    def inside(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: inside(each) for name, each in value.items()}
        if isinstance(value, list):
            return [inside(each) for each in value]
        return interpolated(value, told) if isinstance(value, str) else value

    whole: dict[str, Any] = inside(compose())
    return whole


def interpolated(value: str, told: Mapping[str, str]) -> str:
    """Raises KeyError for what must be told and is not."""

    def told_or_default(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if told.get(name):
            return told[name]
        if kind != "-":
            raise KeyError(name)
        return rest or ""

    return _VARIABLE.sub(told_or_default, value)


def environment(service: str, told: Mapping[str, str]) -> dict[str, str]:
    """What a container of the service finds in its environment."""
    given = compose()["services"][service].get("environment", {})
    passed_on = {name: told[name] for name, value in given.items() if value is None and name in told}
    return passed_on | {name: interpolated(value, told) for name, value in given.items() if value is not None}
