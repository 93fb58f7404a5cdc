"""What the user is sent with, and where tokens are kept."""

import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from libs.quadcode import FileTokens, MemoryTokens, OAuth, OAuthRefused, Tokens, TokensNotStored, TokenStorage
from libs.quadcode.oauth import challenge

TOKENS = Tokens(access_token="access-1", refresh_token="refresh-1", expires_in=3600, scope="full offline_access")
APPLICATION = OAuth("api.trade.sim.invalid", 82, "https://app.sim.invalid/callback?kept=1")


def test_a_challenge_as_in_the_rfc() -> None:
    """RFC 7636, appendix B."""
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_address_a_user_is_sent_to() -> None:
    asked = APPLICATION.authorization(affiliate={"aff": "7"})
    parts = urlsplit(asked.url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "api.trade.sim.invalid", "/auth/oauth.v5/authorize")
    assert {name: value for name, [value] in parse_qs(parts.query).items()} == {
        "response_type": "code", "redirect_uri": "https://app.sim.invalid/callback?kept=1", "client_id": "82",
        "scope": "full offline_access", "code_challenge": challenge(asked.verifier), "code_challenge_method": "S256",
        "state": asked.state, "aff": "7",
    }  # fmt: skip
    assert len(asked.verifier) == 96


def test_nobody_is_sent_twice_with_the_same_secrets() -> None:
    first, second = APPLICATION.authorization(), APPLICATION.authorization()
    assert first.state != second.state
    assert first.verifier != second.verifier


async def test_a_code_with_another_state_is_not_even_shown_to_the_broker() -> None:
    with pytest.raises(OAuthRefused, match="state"):
        await APPLICATION.exchange("a code", APPLICATION.authorization(), "another state")


async def test_without_a_secret_nothing_is_refreshed() -> None:
    with pytest.raises(OAuthRefused, match="client_secret"):
        await APPLICATION.refresh("refresh-1")


def test_no_secret_is_in_what_is_logged() -> None:
    asked = APPLICATION.authorization()
    for secret in (asked.verifier, asked.state):
        assert secret not in repr(asked)
    assert "access-1" not in repr(TOKENS)
    assert "refresh-1" not in repr(TOKENS)


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_storage_gives_back_what_it_was_given(kind: str, tmp_path: Path) -> None:
    storage: TokenStorage = MemoryTokens() if kind == "memory" else FileTokens(tmp_path / "tokens.json")
    assert await storage.load() is None
    await storage.save(Tokens(access_token="older"))
    await storage.save(TOKENS)
    assert await storage.load() == TOKENS


async def test_a_file_of_tokens_is_for_its_owner_only_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text("{}")
    path.chmod(0o644)
    await FileTokens(path).save(TOKENS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert _names(tmp_path) == ["tokens.json"]


async def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("not JSON")
    with pytest.raises(TokensNotStored):
        await FileTokens(tmp_path / "tokens.json").load()
    with pytest.raises(TokensNotStored):
        await FileTokens(tmp_path / "missing" / "tokens.json").save(TOKENS)


def _names(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]
