"""The configuration of a local nats-server: JetStream on, nobody anonymous, every service its own user."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.nats.users import permitted

_TEMPLATE = """\
# Written by deploy/local/nats.py at every start; permissions come from libs/bus/permissions.py.
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
server_name: pregao-local
max_payload: 1MB
write_deadline: "5s"
jetstream {{
  store_dir: {store}
  max_memory_store: 256MB
  max_file_store: 8GB
}}
authorization {{
  users = {users}
}}
"""


def server_path() -> Path:
    """The nats-server of this virtual environment."""
    return Path(sys.prefix) / "bin" / "nats-server"


def configuration(*, port: int, monitor_port: int, store: Path, passwords: Mapping[str, str]) -> str:
    """`passwords` has one entry per user that may connect; the user names are those of libs.bus.permissions."""
    users = [_user(name, password) for name, password in passwords.items()]
    return _TEMPLATE.format(
        port=port, monitor_port=monitor_port, store=json.dumps(str(store)), users=json.dumps(users, indent=2)
    )


def _user(name: str, password: str) -> dict[str, object]:
    return {"user": name, "password": password, "permissions": permitted(name)}
