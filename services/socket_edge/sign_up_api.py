"""`POST /api/avalon/create-user` (api-contract §4.4): somebody becomes a user of the broker before being ours."""

import msgspec

from libs.bus import Bus
from libs.contracts import rpc
from libs.contracts.signing_up import BrokerSignUp, FieldProblem, SignUp
from services.socket_edge import requests, responses
from services.socket_edge.dispatch import Call
from services.socket_edge.errors import ApiError, ErrorBody

_CODES = {
    400: "INVALID_REQUEST",
    409: "USER_EXISTS",
    422: "INVALID_FIELDS",
    429: "TOO_MANY_REQUESTS",
    451: "COUNTRY_RESTRICTED",
}
_WORDS = "The broker does not accept this user"
_LATER = {"Retry-After": "60"}


class RefusalBody(ErrorBody, frozen=True, kw_only=True, rename="camel"):
    """With what the broker says of each field, under its own names."""

    name: FieldProblem | msgspec.UnsetType = msgspec.UNSET
    email: FieldProblem | msgspec.UnsetType = msgspec.UNSET
    password: FieldProblem | msgspec.UnsetType = msgspec.UNSET
    aff_id: FieldProblem | msgspec.UnsetType = msgspec.UNSET
    country_code: FieldProblem | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="country_code")
    locale: FieldProblem | msgspec.UnsetType = msgspec.UNSET


class BrokerRefusal(ApiError):
    def __init__(self, answer: BrokerSignUp) -> None:
        first = next((problem.message for problem in answer.fields.values() if problem.message), "")
        super().__init__(
            answer.status,
            _CODES.get(answer.status, "BROKER_REFUSED"),
            answer.message or first or _WORDS,
            headers=_LATER if answer.status == 429 else {},
        )
        self._answer = answer

    def body(self, request_id: str) -> RefusalBody:
        body = RefusalBody(
            error=self._answer.error or self.message, code=self.code, message=self.message, request_id=request_id
        )
        fields = {name.replace("affId", "aff_id"): problem for name, problem in self._answer.fields.items()}
        return msgspec.structs.replace(body, **fields)


class SignUpApi:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def create(self, call: Call[requests.Nothing, requests.NewBrokerUser]) -> responses.BrokerUserMade:
        wanted = call.body
        request = SignUp(
            name=f"{wanted.first_name} {wanted.last_name}".strip(),
            email=wanted.email,
            password=wanted.password,
            affiliate=None if wanted.aff_id is None else str(wanted.aff_id),
        )
        answer = await self._bus.call(rpc.SIGN_UP, request)
        if answer.id is None:
            raise BrokerRefusal(answer)
        return responses.BrokerUserMade(
            id=answer.id,
            email=answer.email,
            first_name=answer.first_name,
            last_name=answer.last_name,
            country_code=answer.country_code,
            locale=answer.locale,
        )
