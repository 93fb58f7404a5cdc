import pytest

from services.socket_edge.credentials import Credential, Origins, find, parse_cookies
from services.socket_edge.errors import ApiError

COOKIES = {"sb-access-token": "from-cookie"}


@pytest.mark.parametrize(
    ("authorization", "given", "cookies", "token"),
    [
        ("Bearer from-header", "from-handshake", COOKIES, "from-header"),
        ("bearer from-header", None, {}, "from-header"),
        ("Basic dXNlcg==", "from-handshake", COOKIES, "from-handshake"),
        (None, "from-handshake", COOKIES, "from-handshake"),
        (None, None, COOKIES, "from-cookie"),
    ],
)
def test_header_before_handshake_before_cookie(
    authorization: str | None, given: str | None, cookies: dict[str, str], token: str
) -> None:
    assert find(authorization, cookies, given).token == token


def test_only_a_cookie_is_sent_unasked() -> None:
    assert find(None, COOKIES).from_cookie
    assert not find("Bearer x", COOKIES).from_cookie


@pytest.mark.parametrize(("authorization", "cookies"), [(None, {}), ("Bearer", {}), ("", {"sb-access-token": ""})])
def test_without_a_token_the_answer_is_401(authorization: str | None, cookies: dict[str, str]) -> None:
    with pytest.raises(ApiError) as refused:
        find(authorization, cookies)
    assert refused.value.status == 401


def test_cookies_are_parsed_as_browsers_send_them() -> None:
    assert parse_cookies("theme=dark; sb-access-token=a.b.c") == {"theme": "dark", "sb-access-token": "a.b.c"}
    assert parse_cookies(None) == {}


@pytest.fixture
def origins() -> Origins:
    return Origins(("https://app.example", "http://localhost:5173"))


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://app.example", "api.example", True),
        ("http://localhost:5173", "localhost:4001", True),
        ("http://localhost:4001", "localhost:4001", True),
        ("https://app.example.evil.test", "api.example", False),
        ("https://evil.test", "api.example", False),
        ("http://app.example", "api.example", False),
        ("null", "api.example", False),
        ("", "api.example", False),
        ("null", "", False),
    ],
)
def test_listed_origins_and_our_own_may_call(origins: Origins, origin: str, host: str, allowed: bool) -> None:
    assert origins.allow(origin, host) is allowed


@pytest.mark.parametrize("origin", [None, "", "null", "https://evil.test"])
def test_a_change_by_cookie_needs_a_known_origin(origins: Origins, origin: str | None) -> None:
    with pytest.raises(ApiError) as refused:
        origins.check_intent(Credential("t", from_cookie=True), origin, "api.example")
    assert refused.value.status == 403


def test_a_change_by_header_proves_itself(origins: Origins) -> None:
    origins.check_intent(Credential("t", from_cookie=False), "https://evil.test", "api.example")
    origins.check_intent(Credential("t", from_cookie=True), "https://app.example", "api.example")


@pytest.mark.parametrize("origin", ["null", "https://evil.test"])
def test_a_page_of_another_site_is_not_believed_without_a_token(origins: Origins, origin: str) -> None:
    with pytest.raises(ApiError) as refused:
        origins.check_page(origin, "127.0.0.1:4001")
    assert (refused.value.status, refused.value.code) == (403, "CROSS_ORIGIN")


@pytest.mark.parametrize("origin", [None, "", "http://127.0.0.1:4001", "http://localhost:5173"])
def test_programs_and_our_own_pages_are(origins: Origins, origin: str | None) -> None:
    origins.check_page(origin, "127.0.0.1:4001")
