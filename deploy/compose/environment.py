"""What docker-compose.yml needs to be told: secrets, made once, and which parts run."""

import time
from collections.abc import Mapping
from secrets import token_hex

import jwt

from deploy.local.secrets import generate
from libs.bus.permissions import ADMIN, SERVICES

PROFILES = ("single", "paper", "observability", "mail")
_TEN_YEARS = 10 * 365 * 86400


def environment(now: float) -> Mapping[str, str]:
    """`now` in Unix seconds: when the keys of the API begin to be valid."""
    made = generate()
    paper = "http://paper-broker:4500"
    return {
        "COMPOSE_PROFILES": ",".join(PROFILES),
        **{password_variable(user): nats_password() for user in (*SERVICES, ADMIN, "sys", "cluster")},
        "POSTGRES_PASSWORD": token_hex(24),
        "SUPABASE_ANON_KEY": api_key("anon", made.supabase_jwt_secret, now),
        "PREGAO_SUPABASE_SECRET_KEY": api_key("service_role", made.supabase_jwt_secret, now),
        "PREGAO_SUPABASE_JWT_SECRET": made.supabase_jwt_secret,
        "PREGAO_SESSION_KEYS": made.session_key,
        "PREGAO_CRM_KEYS": made.crm_key,
        "PREGAO_BROKER_WS_URL": "ws://paper-broker:4500/echo/websocket",
        "PREGAO_BROKER_SESSION_URL": f"{paper}/sessions",
        "PREGAO_BROKER_USERS_URL": f"{paper}/users",
        "PREGAO_BROKER_API_HOST": paper,
        "PREGAO_BROKER_API_TOKEN": made.broker_api_token,
        "PREGAO_BROKER_SYSTEM_USER_ID": "1000001",
        "PREGAO_SMTP_HOST": "mail",
        "PREGAO_SMTP_PORT": "1025",
        "PREGAO_SMTP_SECURITY": "none",
        "PREGAO_MAIL_SMTP_HOST": "mail",
        "PREGAO_MAIL_SMTP_PORT": "1025",
        "PREGAO_MAIL_SMTP_SECURITY": "none",
        "PREGAO_ALERT_MAIL_FROM": "pregao@localhost",
        "PREGAO_ALERT_MAIL_TO": "operators@localhost",
        "GRAFANA_PASSWORD": token_hex(16),
    }


def password_variable(user: str) -> str:
    """By which variable nats-server is told a user's password (deploy/nats/users.conf)."""
    return f"NATS_{user.upper()}_PASSWORD"


def nats_password() -> str:
    """Begins with a letter: nats-server reads a variable's value as it reads its configuration, where what begins with
    a digit is a number."""
    return f"p{token_hex(24)}"


def api_key(role: str, secret: str, now: float) -> str:
    """A key of Supabase's API as self-hosted servers take it: a token of that role, valid for ten years."""
    return jwt.encode({"role": role, "iss": "supabase", "iat": int(now), "exp": int(now) + _TEN_YEARS}, secret)


def text() -> str:
    made = environment(time.time())  # noqa: TID251 - a script
    lines = [f"{name}={value}" for name, value in made.items()]
    return (
        "# Made by `python -m deploy.compose`. Settings of README.md may be added, under their own names.\n"
        + "\n".join([*lines, ""])
    )
