"""Identifiers. Ids come before effects, so whoever acts first makes the id."""

from typing import NamedTuple

import uuid_utils

from libs.contracts.account import AccountType

_NAMESPACE = uuid_utils.UUID("6f2f5d3a-7a0e-5d0f-9c55-0b6d7a1c9e10")


class BotId(NamedTuple):
    """A user has one bot for each account type, and the two know nothing of each other."""

    user: str
    account_type: AccountType

    def __str__(self) -> str:
        return f"{self.user}.{self.account_type}"


def new_id() -> str:
    """A UUIDv7: unique, and sortable by the time it was made."""
    return str(uuid_utils.uuid7())


def derived_id(*parts: str | int) -> str:
    """A UUIDv5 that is the same whenever the parts are: repeating the cause repeats the id."""
    return str(uuid_utils.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))
