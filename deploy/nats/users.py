"""Who may connect to NATS in deployments, and what they may do there, from the one source: libs/bus/permissions.py.

`make settings` writes users.conf, which every server includes. Passwords come from the server's environment.
"""

import json
from pathlib import Path

from libs.bus.permissions import ADMIN, SERVICES, permissions

FILE = Path(__file__).parent / "users.conf"

_TEMPLATE = """\
# Made by `make settings` from libs/bus/permissions.py. Each password begins with a letter: what begins with a digit is
# read as a number. One account holds everything of Pregão; the other one is the servers' own, for monitoring.
accounts {{
  PREGAO {{
    jetstream: enabled
    users = [
{users}
    ]
  }}
  SYS {{
    users = [{{user: sys, password: $NATS_SYS_PASSWORD}}]
  }}
}}
system_account: SYS
"""


def permitted(user: str) -> dict[str, object]:
    """A user's `permissions` as nats-server has them."""
    allowed = permissions(user)
    return {
        "publish": {"allow": allowed.publish},
        "subscribe": {"allow": allowed.subscribe},
        "allow_responses": allowed.allow_responses,
    }


def users() -> str:
    """The text of users.conf."""
    return _TEMPLATE.format(users="\n".join(_user(name) for name in (*SERVICES, ADMIN)))


def _user(name: str) -> str:
    lines = json.dumps(permitted(name), indent=2).replace("\n", "\n        ")
    return f"""\
      {{
        user: {name}
        password: $NATS_{name.upper()}_PASSWORD
        permissions: {lines}
      }}"""


def write() -> None:
    FILE.write_text(users())
