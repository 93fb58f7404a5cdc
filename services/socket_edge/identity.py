"""Who is asking: verification of Supabase access tokens.

Checked: signature with a key that fits the algorithm, `exp`, `aud` and `role` (`authenticated`: neither the anonymous
nor the service key is a user), `sub` (a UUID), and `iss` where one is configured (crm-and-reliability §E1).
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import jwt

from libs.contracts.clock import Clock, SystemClock
from services.socket_edge.errors import unauthorized

KeyFinder = Callable[[str], Awaitable[jwt.PyJWK | None]]
"""A public key by its `kid`; None when the issuer has no such key."""

_LEEWAY = 30.0
_KNOWN_FOR = 60.0
_MOST_KNOWN = 20_000
_AUDIENCE = "authenticated"
_ROLE = "authenticated"


@dataclass(frozen=True, slots=True)
class Identity:
    user: str
    expires_at: datetime
    session: str = ""
    """At the Auth server; empty if the token does not name one."""
    second_factor: bool = False
    """Whether the user proved who they are in a second way, too (`aal2`)."""


_UNKNOWN: tuple[float, Identity | None] = (0.0, None)


class TokenVerifier:
    """What was verified is known for a minute: every open page asks again and again with the same token."""

    def __init__(
        self, *, secret: str | None, find_key: KeyFinder | None, issuer: str | None, clock: Clock | None = None
    ) -> None:
        self._secret = secret
        self._find_key = find_key
        self._issuer = issuer
        self._clock = clock or SystemClock()
        self._verified: OrderedDict[str, tuple[float, Identity]] = OrderedDict()
        """By token, with the monotonic time till when it need not be verified again."""

    def known(self, token: str) -> Identity | None:
        """Whose it is, if it was verified lately."""
        until, known = self._verified.get(token, _UNKNOWN)
        return known if self._clock.monotonic() < until else None

    async def verify(self, token: str) -> Identity:
        """Raises ApiError 401, or 503 while the issuer's keys cannot be had: that says nothing about the token."""
        known = self.known(token)
        if known is not None:
            return known
        identity = await self._verify(token)
        left = (identity.expires_at - self._clock.now()).total_seconds()
        self._verified[token] = (self._clock.monotonic() + min(_KNOWN_FOR, left), identity)
        self._verified.move_to_end(token)
        if len(self._verified) > _MOST_KNOWN:
            self._verified.popitem(last=False)
        return identity

    async def _verify(self, token: str) -> Identity:
        try:
            header = jwt.get_unverified_header(token)
            key, algorithm = await self._key(header)
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=_AUDIENCE,
                issuer=self._issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            # The last two: text that is no ASCII, JSON without end, times that no calendar has.
            raise unauthorized(f"Invalid or expired token ({type(error).__name__})") from None
        if claims.get("role") != _ROLE:
            raise unauthorized("This token is not a user's")
        return Identity(
            _user(claims["sub"]),
            datetime.fromtimestamp(claims["exp"], UTC),
            _session(claims),
            second_factor=claims.get("aal") == "aal2",
        )

    async def _key(self, header: dict[str, object]) -> tuple[str | jwt.PyJWK, str]:
        """The algorithm follows from the kind of key we hold, never from the token alone: an HS256 signature is
        only ever compared with the secret, whatever public key it was made with."""
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm == "HS256" and self._secret is not None:
            return self._secret, "HS256"
        if algorithm != "HS256" and isinstance(kid, str) and self._find_key is not None:
            key = await self._find_key(kid)
            if key is not None and key.algorithm_name == algorithm:
                return key, key.algorithm_name
        raise jwt.InvalidKeyError("no key for this token")


def _session(claims: dict[str, object]) -> str:
    try:
        return str(UUID(str(claims["session_id"])))
    except (KeyError, ValueError):
        return ""


def _user(subject: object) -> str:
    try:
        return str(UUID(str(subject)))
    except ValueError:
        raise unauthorized("The token does not name a user") from None
