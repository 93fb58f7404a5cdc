"""Where a request or a socket handshake carries its access token, and whether its origin is one of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from services.socket_edge.errors import ApiError, unauthorized

_COOKIE = "sb-access-token"
_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class Credential:
    token: str
    from_cookie: bool
    """A browser sends cookies unasked, also for another site."""


def find(authorization: str | None, cookies: Mapping[str, str], given: str | None = None) -> Credential:
    """In this order: the Authorization header, the handshake's `auth.token` (`given`), the cookie. 401 if none."""
    if authorization and authorization[: len(_SCHEME)].lower() == _SCHEME:
        return Credential(authorization[len(_SCHEME) :].strip(), from_cookie=False)
    if given:
        return Credential(given, from_cookie=False)
    if cookies.get(_COOKIE):
        return Credential(cookies[_COOKIE], from_cookie=True)
    raise unauthorized("Missing access token")


def parse_cookies(header: str | None) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header or "").items()}
    except CookieError:
        return {}


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""  # no browser sends such a one


class Origins:
    """The origins that may call: the listed ones and the edge's own."""

    def __init__(self, listed: tuple[str, ...]) -> None:
        self._listed = frozenset(listed)

    def allow(self, origin: str, host: str) -> bool:
        """`host` is the request's Host header, which a page of another site cannot choose."""
        return origin in self._listed or (bool(host) and _netloc(origin) == host)

    def check_intent(self, credential: Credential, origin: str | None, host: str) -> None:
        """Of a request that changes something: 403 for a cookie that may have been sent without the user's doing."""
        if credential.from_cookie and not (origin and self.allow(origin, host)):
            raise _cross_origin("Requests authenticated by cookie must come from a known origin")

    def check_page(self, origin: str | None, host: str) -> None:
        """Of a request that is believed without a token: 403 for a page of another site, which browsers let ask."""
        if origin and not self.allow(origin, host):
            raise _cross_origin("Requests without a token must not come from an unknown origin")


def _cross_origin(message: str) -> ApiError:
    return ApiError(403, "CROSS_ORIGIN", message)
