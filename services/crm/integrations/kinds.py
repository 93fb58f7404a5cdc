"""Which services there are, and what is said of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from libs.contracts.rpc import ErrorCode, RpcError
from services.crm.sending.outside import NotAllowed, Outside
from services.crm.sending.signature import key_of
from services.crm.sending.smtp import Security

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_SECURITY = get_args(Security)
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    id: str
    name: str
    type: Literal["email", "sms", "push", "webhook"]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


_PROVIDER = (("url",), ("token", "secret"))
_SHORTEST = 24
"""Characters of a secret."""
KINDS = {
    kind.id: kind
    for kind in (
        Kind("smtp", "Mail server", "email", ("host",), ("port", "security", "user", "password")),
        Kind("sms", "Text messages", "sms", *_PROVIDER),
        Kind("push", "Push messages", "push", *_PROVIDER),
        Kind("webhook", "Messages by HTTP", "webhook", ("url", "secret"), ("token",)),
    )
}


def checked(kind: Kind, given: Mapping[str, str], outside: Outside, *, private: bool) -> dict[str, str]:
    """Those that are not empty. `private`: unencrypted mail servers are allowed. Raises RpcError that names one."""
    settings = {name: value for name, value in given.items() if value}
    for name, value in settings.items():
        if name not in (*kind.required, *kind.optional):
            raise _invalid(f"`settings.{name}`: there is no such setting of {kind.id}")
        if len(value) > _LONGEST or not value.isprintable():
            raise _invalid(f"`settings.{name}` must be printable, and of at most {_LONGEST} characters")
    for name in kind.required:
        if name not in settings:
            raise _invalid(f"`settings.{name}` is required")
    if "url" in settings:
        try:
            outside.check(settings["url"])
        except NotAllowed as error:
            raise _invalid(f"`settings.url`: {error}") from error
    if "secret" in settings:
        _check_secret(settings["secret"])
    if kind.id == "smtp":
        _check_server(settings, private=private)
    return settings


def _check_server(settings: Mapping[str, str], *, private: bool) -> None:
    port = settings.get("port", "587")
    if not _HOST.fullmatch(settings["host"]):
        raise _invalid("`settings.host` must be the name of a mail server")
    if not (port.isdecimal() and port.isascii() and 0 < int(port[:6]) < 65536):
        raise _invalid("`settings.port` must be a port")
    security = settings.get("security", "starttls")
    if security not in _SECURITY or (security == "none" and not private):
        raise _invalid("`settings.security` must be starttls or tls")


def _check_secret(secret: str) -> None:
    try:
        key_of(secret)
    except ValueError:
        raise _invalid("`settings.secret` must go on as base64 behind whsec_") from None
    if len(secret) < _SHORTEST:
        raise _invalid(f"`settings.secret` must have at least {_SHORTEST} characters")


def _invalid(message: str) -> RpcError:
    return RpcError(ErrorCode.INVALID_REQUEST, message)
