"""The Secrets that the manifests refer to, as Kubernetes objects: one for each service, with what it alone may know.

What can be made is made; what others decide (the broker's token, Supabase's keys, the database's address) is told,
under the names of README.md. The paper broker has one where its token is told.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_settings import BaseSettings

from deploy.compose.environment import nats_password, password_variable
from deploy.local.secrets import generate
from deploy.services import SERVICES
from libs.bus.permissions import ADMIN
from libs.bus.permissions import SERVICES as USERS
from libs.service import CannotStart
from libs.service.settings import PREFIX

DATABASE_URL = f"{PREFIX}DATABASE_URL"
_BUS_PASSWORD = f"{PREFIX}NATS_PASSWORD"
_SESSION_KEYS = f"{PREFIX}SESSION_KEYS"
_CRM_KEYS = f"{PREFIX}CRM_KEYS"
_PAPER_TOKEN = f"{PREFIX}PAPER_API_TOKEN"


def secrets(told: Mapping[str, str]) -> list[dict[str, Any]]:
    """Raises CannotStart that names everything that must be told and is not."""
    passwords = {user: nats_password() for user in (*USERS, ADMIN, "sys")}
    made = generate()
    known = {_SESSION_KEYS: made.session_key, _CRM_KEYS: made.crm_key, **told}
    given = {
        name: _of(service.settings, known | ({_BUS_PASSWORD: passwords[name]} if name in passwords else {}))
        for name, service in SERVICES.items()
        if name != "paper-broker" or _PAPER_TOKEN in told
    }
    given["migrate"] = {DATABASE_URL: told.get(DATABASE_URL)}
    given["nats"] = {password_variable(user): password for user, password in passwords.items()}
    missing = sorted({name for values in given.values() for name, value in values.items() if value is None})
    if missing:
        raise CannotStart(f"must be set: {', '.join(missing)}")
    return [_secret(name, values) for name, values in given.items()]


def secret_names(settings: type[BaseSettings]) -> dict[str, bool]:
    """The variables of a service that hold secrets, and which of them must be there."""
    return {
        f"{PREFIX}{name.upper()}": field.is_required()
        for name, field in settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }


def _of(settings: type[BaseSettings], known: Mapping[str, str]) -> dict[str, str | None]:
    names = secret_names(settings)
    return {name: known.get(name) for name, required in names.items() if required or name in known}


def _secret(name: str, values: Mapping[str, str | None]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "stringData": values}
