"""What a script needs to drive a running stack: `stack.json`, there while it runs, readable by its owner alone."""

from pathlib import Path

import msgspec

from deploy.local.private_file import write_private


class Login(msgspec.Struct, frozen=True, kw_only=True):
    email: str
    password: str
    user_id: str
    """UUID in Supabase Auth."""


class Nats(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    monitor_url: str
    users: dict[str, str]
    """Password by user; `admin` may do everything."""


class PaperBroker(msgspec.Struct, frozen=True, kw_only=True):
    ws_url: str
    session_url: str
    """`POST {session_url}/{brokerUserId}` with the token makes a session."""
    control_url: str
    """Injects faults and shows the books (services/paper_broker/control.py); same token."""
    api_token: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    edge_url: str
    """REST and Socket.IO."""
    supabase_url: str
    supabase_publishable_key: str
    supabase_secret_key: str
    supabase_jwt_secret: str
    demo: Login
    admin: Login
    nats: Nats
    paper_broker: PaperBroker
    mail_url: str
    """The page with every mail that was caught."""
    health: dict[str, str]
    """URL by process; 200 when it can do its work."""
    logs: str
    pids: dict[str, int]


def path(directory: Path) -> Path:
    return directory / "stack.json"


def write(facts: Facts, directory: Path) -> None:
    write_private(path(directory), msgspec.json.format(msgspec.json.encode(facts)).decode())


def read(directory: Path) -> Facts:
    """Raises FileNotFoundError when no stack runs there."""
    return msgspec.json.decode(path(directory).read_bytes(), type=Facts)


def remove(directory: Path) -> None:
    path(directory).unlink(missing_ok=True)


def banner(facts: Facts) -> str:
    rows = (
        ("REST + Socket.IO", facts.edge_url),
        ("Supabase", f"{facts.supabase_url}   key {facts.supabase_publishable_key}"),
        ("demo log-in", f"{facts.demo.email} / {facts.demo.password}"),
        ("admin log-in", f"{facts.admin.email} / {facts.admin.password}"),
        ("mails", facts.mail_url),
        ("logs", f"{facts.logs}/"),
    )
    lines = ["", "Pregão is running.", *(f"  {name:<18} {value}" for name, value in rows)]
    return "\n".join([*lines, "Ctrl-C stops it. `make watch` shows the demo user's bot.", ""])
