"""`POST /users`: somebody signs up (api-contract §4.4, upstream side)."""

import asyncio
import re
from collections.abc import Container, Iterator
from typing import NamedTuple

import msgspec
from aiohttp import web

from services.paper_broker.accounts import EMAIL, Accounts, EmailTaken, Person
from services.paper_broker.http_api import Tokens
from services.paper_broker.passwords import digest
from services.paper_broker.wire import located

_MIN_PASSWORD = 6
_MAX_TEXT = 200
_LOCALE = "en_US"


class NewUser(msgspec.Struct, frozen=True, rename={"affiliate": "affId"}):
    name: str = ""
    """`<first> <last>`."""
    email: str = ""
    password: str = ""
    affiliate: str | int | None = None
    country_code: str | None = None
    locale: str = _LOCALE

    def person(self) -> Person:
        first, _, last = self.name.strip().partition(" ")
        return Person(self.email, first, last.strip())


class Countries(NamedTuple):
    """Two capital letters each."""

    usual: str
    """Of those who do not say where they are from."""
    refused: Container[str]


class Problem(NamedTuple):
    field: str
    code: str
    message: str


class UsersApi:
    def __init__(self, accounts: Accounts, tokens: Tokens, countries: Countries) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._countries = countries

    async def post(self, request: web.Request) -> web.Response:
        """201 with the new user, password included, for so does the platform; 400, 401, 409, 422 or 451."""
        if not self._tokens.accepts(request):
            return _refused(401, "unauthorized", "A valid bearer token is required.")
        try:
            user = msgspec.json.decode(await request.read(), type=NewUser)
        except msgspec.ValidationError as error:
            field, message = located(error)
            return _invalid([Problem(field, "invalid", message)]) if field else _refused(400, "bad_request", message)
        except msgspec.DecodeError as error:
            return _refused(400, "bad_request", f"malformed JSON: {error}")
        problems = list(_problems(user))
        return _invalid(problems) if problems else await self._create(user)

    async def _create(self, user: NewUser) -> web.Response:
        country = (user.country_code or self._countries.usual).upper()
        if country in self._countries.refused:
            return _refused(451, "user_country_restriction", f"Users from {country} are not accepted.")
        try:
            user_id = self._accounts.sign_up(user.person(), await asyncio.to_thread(digest, user.password))
        except EmailTaken:
            return _refused(409, "user_already_exists", "A user with this e-mail address exists already.")
        person = user.person()
        shown = {
            "id": user_id,
            "email": user.email,
            "password": user.password,
            "country_code": country,
            "locale": user.locale,
            "first_name": person.first_name,
            "last_name": person.last_name,
        }
        return web.json_response(shown, status=201)


def _problems(user: NewUser) -> Iterator[Problem]:
    if not user.name.strip():
        yield Problem("name", "required", "Must not be empty.")
    if re.match(EMAIL, user.email) is None:
        yield Problem("email", "invalid", "Must be an e-mail address.")
    if len(user.password) < _MIN_PASSWORD:
        yield Problem("password", "too_short", f"Must have at least {_MIN_PASSWORD} characters.")
    for field in ("name", "email", "password", "locale"):
        if len(getattr(user, field)) > _MAX_TEXT:
            yield Problem(field, "too_long", f"Must have at most {_MAX_TEXT} characters.")
    if user.country_code is not None and re.fullmatch("[A-Za-z]{2}", user.country_code) is None:
        yield Problem("country_code", "invalid", "Must be two letters.")


def _invalid(problems: list[Problem]) -> web.Response:
    """`{<field>: {code, message}}`; of several problems of a field the first."""
    shown = {field: {"code": code, "message": message} for field, code, message in reversed(problems)}
    return web.json_response(shown, status=422)


def _refused(status: int, error: str, message: str) -> web.Response:
    return web.json_response({"error": error, "message": message}, status=status)
