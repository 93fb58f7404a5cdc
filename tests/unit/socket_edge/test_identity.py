"""Every token that is not a current user's is refused, however it was made (crm-and-reliability §E1)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.socket_edge.errors import ApiError, unavailable
from services.socket_edge.identity import TokenVerifier
from tests.messages import USER
from tests.unit.socket_edge.hand_clock import HandClock

SECRET = "b1R7xq-Zt04mKcUeW9yHs2LdJp6vNfGa"
ISSUER = "https://project.example/auth/v1"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: Any, algorithm: str) -> jwt.PyJWK:
    as_dict = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return jwt.PyJWK(dict(as_dict), algorithm)


KEYS = {"ec": public_jwk(EC_KEY, "ES256"), "rsa": public_jwk(RSA_KEY, "RS256")}


async def find_key(kid: str) -> jwt.PyJWK | None:
    return KEYS.get(kid)


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(secret=SECRET, find_key=find_key, issuer=ISSUER)


def claims(**changes: Any) -> dict[str, Any]:
    expires = datetime.now(UTC) + timedelta(hours=1)
    user = {"sub": USER, "aud": "authenticated", "role": "authenticated", "iss": ISSUER, "exp": expires}
    return {name: value for name, value in (user | changes).items() if value is not None}


def token(key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid} if kid else None)


@pytest.mark.parametrize(
    "made",
    [
        lambda: token(),
        lambda: token(EC_KEY, "ES256", "ec"),
        lambda: token(RSA_KEY, "RS256", "rsa"),
        lambda: token(aud=["other", "authenticated"]),
        lambda: token(exp=datetime.now(UTC) - timedelta(seconds=20)),
    ],
    ids=["secret", "elliptic curve", "rsa", "one of several audiences", "just expired"],
)
async def test_a_users_token_is_accepted(verifier: TokenVerifier, made: Any) -> None:
    assert (await verifier.verify(made())).user == USER


async def test_the_user_id_is_normalised(verifier: TokenVerifier) -> None:
    assert (await verifier.verify(token(sub=USER.upper()))).user == USER


async def test_the_identity_ends_with_the_token(verifier: TokenVerifier) -> None:
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    assert (await verifier.verify(token(exp=expires))).expires_at == expires


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def signed_with_public_key() -> str:
    """The classic confusion: a public key used as an HMAC secret. PyJWT refuses to make such a token, so by hand."""
    import base64
    import hashlib
    import hmac
    import json

    def part(value: Mapping[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    body = claims() | {"exp": int((datetime.now(UTC) + timedelta(hours=1)).timestamp())}
    signed = part({"alg": "HS256", "typ": "JWT", "kid": "rsa"}) + b"." + part(body)
    signature = hmac.new(public_pem(RSA_KEY), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def one_bit_off(made: str, part: int) -> str:
    parts = made.split(".")
    text = parts[part]
    position = len(text) // 2
    parts[part] = text[:position] + chr(ord(text[position]) ^ 1) + text[position + 1 :]
    return ".".join(parts)


REFUSED = {
    "empty": lambda: "",
    "no token": lambda: "not.a.token",
    "unsigned": lambda: jwt.encode(claims(), "", "none"),
    "signature removed": lambda: token().rsplit(".", 1)[0] + ".",
    "another secret": lambda: token("another-secret-that-is-long-enough-for-hs256"),
    "public key as secret": signed_with_public_key,
    "another algorithm of the secret": lambda: token(SECRET * 2, "HS512"),
    "another private key": lambda: token(OTHER_EC_KEY, "ES256", "ec"),
    "key of another kind": lambda: token(EC_KEY, "ES256", "rsa"),
    "unknown key": lambda: token(EC_KEY, "ES256", "unknown"),
    "no key id": lambda: token(EC_KEY, "ES256"),
    "expired": lambda: token(exp=datetime.now(UTC) - timedelta(minutes=2)),
    "never expires": lambda: token(exp=None),
    "not valid yet": lambda: token(nbf=datetime.now(UTC) + timedelta(minutes=5)),
    "wrong audience": lambda: token(aud="somebody-else"),
    "no audience": lambda: token(aud=None),
    "wrong issuer": lambda: token(iss="https://evil.example"),
    "no issuer": lambda: token(iss=None),
    "anonymous key": lambda: token(role="anon"),
    "service key": lambda: token(role="service_role"),
    "no role": lambda: token(role=None),
    "no subject": lambda: token(sub=None),
    "subject is no user": lambda: token(sub="admin"),
    "header changed": lambda: one_bit_off(token(), 0),
    "payload changed": lambda: one_bit_off(token(), 1),
    "signature changed": lambda: one_bit_off(token(), 2),
    "es signature changed": lambda: one_bit_off(token(EC_KEY, "ES256", "ec"), 2),
}


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED.keys())
async def test_any_other_token_is_refused(verifier: TokenVerifier, made: Any) -> None:
    with pytest.raises(ApiError) as refused:
        await verifier.verify(made())
    assert (refused.value.status, refused.value.code) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("level", "second_factor"), [("aal2", True), ("aal1", False), (None, False), (["aal2"], False)]
)
async def test_a_second_factor_is_known_by_its_level(
    verifier: TokenVerifier, level: object, second_factor: bool
) -> None:
    assert (await verifier.verify(token(aal=level))).second_factor is second_factor


async def test_without_a_secret_no_shared_secret_is_accepted() -> None:
    verifier = TokenVerifier(secret=None, find_key=find_key, issuer=None)
    with pytest.raises(ApiError):
        await verifier.verify(token("x" * 32))


async def test_without_an_issuer_configured_any_is_taken() -> None:
    verifier = TokenVerifier(secret=SECRET, find_key=None, issuer=None)
    assert (await verifier.verify(token(iss=None))).user == USER


async def test_keys_that_cannot_be_had_say_nothing_about_the_token() -> None:
    async def nobody_answers(_: str) -> jwt.PyJWK | None:
        raise unavailable()

    verifier = TokenVerifier(secret=None, find_key=nobody_answers, issuer=None)
    with pytest.raises(ApiError) as refused:
        await verifier.verify(token(EC_KEY, "ES256", "ec"))
    assert refused.value.status == 503


async def test_a_token_is_verified_once_a_minute_and_not_known_after_it_expired() -> None:
    asked: list[str] = []

    async def note(kid: str) -> jwt.PyJWK | None:
        asked.append(kid)
        return KEYS.get(kid)

    clock = HandClock()
    verifier = TokenVerifier(secret=None, find_key=note, issuer=ISSUER, clock=clock)
    made = token(EC_KEY, "ES256", "ec")
    assert await verifier.verify(made) == await verifier.verify(made)
    assert len(asked) == 1
    clock.advance(61)
    await verifier.verify(made)
    assert len(asked) == 2
    clock = HandClock(datetime.now(UTC))
    soon = TokenVerifier(secret=None, find_key=note, issuer=ISSUER, clock=clock)
    expiring = token(EC_KEY, "ES256", "ec", exp=clock.now() + timedelta(seconds=30))
    await soon.verify(expiring)
    clock.advance(28)
    assert soon.known(expiring) is not None
    clock.advance(2)
    assert soon.known(expiring) is None, "it expired before the minute was over"
    short = token(EC_KEY, "ES256", "ec", exp=datetime.now(UTC) - timedelta(seconds=5))
    late = TokenVerifier(secret=None, find_key=note, issuer=ISSUER)
    await late.verify(short)
    await late.verify(short)
    assert len(asked) == 5, "in its last seconds it is looked at every time"
    with pytest.raises(ApiError):
        await verifier.verify(one_bit_off(made, 1))
