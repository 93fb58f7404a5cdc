"""The HTTP side of the port: session ids for the gateway (api-contract §10.12) and translations (protocol §5)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from hmac import compare_digest

import structlog
from aiohttp import web

from services.paper_broker import wire
from services.paper_broker.broker import Broker
from services.paper_broker.errors import Refused
from services.paper_broker.faults import FailSessionRequest, HangSessionRequest
from services.paper_broker.translations import Translations

_USER_ID = re.compile(r"[0-9]{1,18}")

log = structlog.get_logger()

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def failure(status: int, message: str) -> web.Response:
    return web.json_response({"isSuccessful": False, "message": message}, status=status)


@web.middleware
async def json_errors(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Clients parse whatever comes, so an error is JSON too."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return failure(error.status, error.reason)
    except Exception:
        log.exception("request_failed", path=request.path)
        return failure(500, "internal error")


class Tokens:
    """Whoever shows the API token may ask for a session of any user."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    def accepts(self, request: web.Request) -> bool:
        return compare_digest(request.headers.get("Authorization", "").encode(errors="surrogateescape"), self._expected)


def guarded(tokens: Tokens, answer: Answer) -> Answer:
    """Only with the token; what it refuses is a 400 that names the field."""

    async def only_with_token(request: web.Request) -> web.StreamResponse:
        if not tokens.accepts(request):
            return failure(401, "a valid bearer token is required")
        try:
            return await answer(request)
        except Refused as refused:
            return web.Response(body=wire.encode(refused.details), status=400, content_type="application/json")

    return only_with_token


class SessionApi:
    def __init__(self, broker: Broker, tokens: Tokens) -> None:
        self._broker = broker
        self._tokens = tokens

    async def create(self, request: web.Request) -> web.Response:
        """`POST /sessions/{brokerUserId}` → `{ssid, userId}`; the user is made if there is none."""
        if not self._tokens.accepts(request):
            return failure(401, "a valid bearer token is required")
        user = request.match_info["user"]
        if _USER_ID.fullmatch(user) is None or int(user) == 0:
            return failure(400, "brokerUserId must be a positive number")
        if (hanging := self._broker.faults.take(int(user), HangSessionRequest)) is not None:
            await asyncio.sleep(self._broker.waiting(hanging.seconds))
            return failure(503, "unavailable")
        if (failing := self._broker.faults.take(int(user), FailSessionRequest)) is not None:
            return failure(failing.status, "an injected fault")
        self._broker.accounts.ensure(int(user))
        return web.json_response({"ssid": self._broker.sessions.create(int(user)), "userId": int(user)})


class TranslationsApi:
    def __init__(self, translations: Translations) -> None:
        self._translations = translations

    async def get(self, request: web.Request) -> web.Response:
        """`GET /api/lang/route-translations?route=en&groups[]=front`."""
        language = request.query.get("route", "")
        if not language:
            return failure(400, "route is required")
        texts = self._translations.texts(language, request.query.getall("groups[]", ["front"]))
        return web.json_response({"isSuccessful": True, "result": {language: texts}})
