"""Somebody becomes a user at the broker (api-contract §4.4)."""

from typing import Annotated

from msgspec import Meta, field

from libs.contracts.codec import Message
from libs.contracts.pattern import END

EMAIL = r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}" + END
"""What an e-mail address looks like; only a mail can tell more."""


class SignUp(Message, frozen=True, kw_only=True):
    name: str
    """First and last."""
    email: str
    password: str
    affiliate: str | None = None

    def __repr__(self) -> str:
        return "SignUp(...)"  # never into a log


class FieldProblem(Message, frozen=True, kw_only=True):
    code: str = ""
    message: str = ""


class BrokerSignUp(Message, frozen=True, kw_only=True):
    """The broker's answer, without the password that it repeats."""

    status: int
    """Of HTTP: 201, or 400, 409, 422, 429 or 451."""
    id: Annotated[int, Meta(ge=1)] | None = None
    """The new user's; None when there is none."""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    country_code: str = ""
    locale: str = ""
    error: str = ""
    """Why not: the broker's code…"""
    message: str = ""
    """…and words."""
    fields: dict[str, FieldProblem] = field(default_factory=dict)
    """What is wrong with which field of the request."""
