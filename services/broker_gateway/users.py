"""New users at the broker, over the operator's user API (api-contract §4.4).

Passwords go through here. None is logged, kept or put into an error, nor is an answer that may repeat one.
"""

from typing import Any

import aiohttp
import msgspec
import structlog

from libs.contracts.rpc import ErrorCode, RpcError
from libs.contracts.signing_up import BrokerSignUp, FieldProblem, SignUp

log = structlog.get_logger()

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_ABOUT_THE_REQUEST = (400, 409, 422, 429, 451)
"""What the broker has against it; anything else is between the broker and us."""
_FIELDS = ("name", "email", "password", "affId", "country_code", "locale")
_MAX_TEXT = 500


class _User(msgspec.Struct):
    id: int
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    country_code: str = ""
    locale: str = ""


class BrokerUsers:
    def __init__(self, http: aiohttp.ClientSession, url: str | None, token: str) -> None:
        """`url`: None where nobody can sign up."""
        self._http = http
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def sign_up(self, request: SignUp) -> BrokerSignUp:
        """Raises RpcError: UNAVAILABLE, BROKER_UNREACHABLE, TIMEOUT (there may be a new user). Never tried twice."""
        if self._url is None:
            raise RpcError(ErrorCode.UNAVAILABLE, "PREGAO_BROKER_USERS_URL is not set")
        body = {"name": request.name, "email": request.email, "password": request.password}
        if request.affiliate is not None:
            body["affId"] = request.affiliate
        try:
            async with self._http.post(
                self._url, json=body, headers=self._headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                status, answer = response.status, await response.read()
        except aiohttp.ClientConnectorError as error:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, "the broker's user API cannot be reached") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RpcError(ErrorCode.TIMEOUT, "the broker's user API did not answer") from error
        log.info("broker_sign_up", status=status)
        return _read(status, answer, request.password)


def _read(status: int, answer: bytes, password: str) -> BrokerSignUp:
    if status in (200, 201):
        try:
            user = msgspec.json.decode(answer, type=_User)
        except msgspec.DecodeError:
            raise RpcError(ErrorCode.TIMEOUT, "the broker's user API answered what is not a user") from None
        return BrokerSignUp(status=201, **msgspec.structs.asdict(user))
    if status not in _ABOUT_THE_REQUEST:
        raise RpcError(ErrorCode.BROKER_UNREACHABLE, f"the broker's user API answered {status}")
    return _refusal(status, answer, password)


def _refusal(status: int, answer: bytes, password: str) -> BrokerSignUp:
    try:
        said = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.DecodeError:
        said = {}

    def text(value: object) -> str:
        return value.replace(password, "…")[:_MAX_TEXT] if isinstance(value, str) else ""

    fields = {
        name: FieldProblem(code=text(said[name].get("code")), message=text(said[name].get("message")))
        for name in _FIELDS
        if isinstance(said.get(name), dict)
    }
    return BrokerSignUp(status=status, error=text(said.get("error")), message=text(said.get("message")), fields=fields)
