"""A REST route's declaration: from it follow routing, validation, permissions, limits, OpenAPI and their tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from msgspec import Struct

Query = TypeVar("Query", bound=Struct)
Body = TypeVar("Body", bound=Struct)


class Role(StrEnum):
    """Of `admin_users` (api-contract §2.2)."""

    ANALYST = "analyst"
    SUPPORT = "support"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"


class Access(StrEnum):
    """Who may ask."""

    PUBLIC = "public"
    USER = "user"
    """Anyone with a valid token, for themselves; administrators for anyone."""
    STAFF = "staff"
    """Every role: reading numbers, users and trades."""
    SUPPORT = "support"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"

    @property
    def roles(self) -> frozenset[Role]:
        """Any of which is needed; empty where none is."""
        return _ROLES.get(self, frozenset())


_ROLES = {
    Access.STAFF: frozenset(Role),
    Access.SUPPORT: frozenset({Role.SUPPORT, Role.ADMIN, Role.SUPER_ADMIN}),
    Access.ADMIN: frozenset({Role.ADMIN, Role.SUPER_ADMIN}),
    Access.SUPER_ADMIN: frozenset({Role.SUPER_ADMIN}),
}


class Rate(StrEnum):
    """How often it may be asked: each has its own limit (Settings)."""

    POLL = "poll"
    """Answered from memory."""
    READ = "read"
    WRITE = "write"
    COSTLY = "costly"
    """Work for the broker, or a person's risk."""


@dataclass(frozen=True, slots=True)
class Route(Generic[Query, Body]):
    method: str
    path: str
    summary: str
    query: type[Query]
    """Of the query string, and of what the path has in braces."""
    body: type[Body]
    answers: tuple[Any, ...]
    """Types. More than one: which depends on the query, or on how things are. None: it only says that it is gone."""
    access: Access = Access.USER
    rate: Rate = Rate.READ
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Names of parameters by what else clients call them."""
    files: tuple[str, ...] = ()
    """Content types, where the answer is a file; its only type is then `bytes`."""
    etag: bool = False
    """Whether it can be asked whether the answer is still the same."""

    @property
    def changes(self) -> bool:
        """Whether it changes something, so that a cookie alone does not prove that the user meant it."""
        return self.method != "GET"
