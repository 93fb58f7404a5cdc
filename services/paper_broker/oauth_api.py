"""The OAuth endpoints: a page to log in on, and the exchange of codes and refresh tokens (quadcode-protocol §4.3)."""

import re
from urllib.parse import parse_qsl, urlsplit

import msgspec
from aiohttp import web
from yarl import URL

from services.paper_broker.broker import Broker
from services.paper_broker.log_in import LogIn
from services.paper_broker.oauth import Authorization, CodeGrant, OAuthError, RefreshGrant
from services.paper_broker.wire import located

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_CLIENT_ID = re.compile(r"[0-9]{1,18}")
_PRINTABLE = re.compile(r"[^\x00-\x20\x7f]{1,2000}")
_MAX_TEXT = 2000
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Paper broker: log in</title>
<style>
body {{ font: 1rem system-ui; max-width: 20rem; margin: 4rem auto }}
input {{ display: block; width: 100% }}
</style>
<h1>Paper broker</h1>
<p>Application {client_id} asks to trade in your name.</p>
<p role="alert">{problem}</p>
<form method="post">
<label>E-mail <input name="email" type="email" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button>
</form>
</html>
"""
_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class OAuthApi:
    def __init__(self, broker: Broker) -> None:
        self._oauth = broker.oauth
        self._log_in = LogIn(broker.accounts)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/auth/oauth.v5/authorize", self.page),
            web.post("/auth/oauth.v5/authorize", self.log_in),
            web.post("/auth/oauth.v5/token", self.token),
        ]

    async def page(self, request: web.Request) -> web.Response:
        try:
            return _page(self._authorization(request))
        except OAuthError as error:
            return _refused(error)

    async def log_in(self, request: web.Request) -> web.Response:
        """What the form sends, to the address of the page: back to the application with `code` and `state`.

        They go into the query, before the fragment that applications with hash routes have in their address.
        """
        try:
            authorization = self._authorization(request)
            form = dict(parse_qsl((await request.read()).decode(errors="replace")))
            user_id = await self._log_in.user(form.get("email", ""), form.get("password", ""))
            if user_id is None:
                return _page(authorization, "E-mail or password are wrong.", status=401)
            answer = {"code": self._oauth.code(user_id, authorization)}
        except OAuthError as error:
            return _refused(error)
        if "state" in request.query:
            answer["state"] = request.query["state"]
        location = URL(authorization.redirect_uri).update_query(answer)
        return web.Response(status=303, headers={"Location": str(location), "Cache-Control": "no-store"})

    async def token(self, request: web.Request) -> web.Response:
        try:
            grant = _grant(await request.read())
            tokens = self._oauth.redeem(grant) if isinstance(grant, CodeGrant) else self._oauth.refresh(grant)
        except OAuthError as error:
            return _refused(error)
        return web.json_response(msgspec.to_builtins(tokens), headers={"Cache-Control": "no-store"})

    def _authorization(self, request: web.Request) -> Authorization:
        query = request.query
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response_type: must be code")
        if query.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "code_challenge_method: must be S256")
        if _CHALLENGE.fullmatch(query.get("code_challenge", "")) is None:
            raise OAuthError("invalid_request", "code_challenge: must be the base64url of a SHA-256, without padding")
        if _CLIENT_ID.fullmatch(query.get("client_id", "")) is None:
            raise OAuthError("invalid_request", "client_id: must be a number")
        redirect_uri = query.get("redirect_uri", "")
        if not _is_address(redirect_uri):
            raise OAuthError("invalid_request", "redirect_uri: must be an http or https address")
        scope = query.get("scope", "full")[:_MAX_TEXT]
        authorization = Authorization(int(query["client_id"]), redirect_uri, query["code_challenge"], scope)
        self._oauth.check(authorization)
        return authorization


def _is_address(text: str) -> bool:
    if _PRINTABLE.fullmatch(text) is None:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(URL(text))
    except ValueError:
        return False


def _grant(data: bytes) -> CodeGrant | RefreshGrant:
    try:
        return msgspec.json.decode(data, type=CodeGrant | RefreshGrant)
    except msgspec.ValidationError as error:
        field, problem = located(error)
        if field == "grant_type":
            raise OAuthError("unsupported_grant_type", f"grant_type: {problem}") from error
        raise OAuthError("invalid_request", f"{field}: {problem}" if field else problem) from error
    except msgspec.DecodeError as error:
        raise OAuthError("invalid_request", f"malformed JSON: {error}") from error


def _page(authorization: Authorization, problem: str = "", status: int = 200) -> web.Response:
    text = _PAGE.format(client_id=authorization.client_id, problem=problem)
    return web.Response(text=text, status=status, content_type="text/html", headers=_PAGE_HEADERS)


def _refused(error: OAuthError) -> web.Response:
    return web.json_response({"code": error.code, "message": str(error)}, status=400)
