from collections.abc import Callable

import pytest
from msgspec.structs import replace

from services.paper_broker.oauth import (
    MAX_CODES,
    REFRESH_SECONDS,
    Authorization,
    Client,
    CodeGrant,
    OAuth,
    OAuthError,
    RefreshGrant,
)
from services.paper_broker.oauth import challenge as challenge_of
from tests.unit.paper_broker.world import USER, World

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CALLBACK = "https://app.sim.invalid/callback"
ASKED = Authorization(82, CALLBACK, challenge_of(VERIFIER), "full offline_access")


@pytest.fixture
def oauth(world: World) -> OAuth:
    return world.broker.oauth


def grant(code: str) -> CodeGrant:
    return CodeGrant(code=code, redirect_uri=CALLBACK, client_id=82, code_verifier=VERIFIER)


def refresh(token: str | None) -> RefreshGrant:
    return RefreshGrant(refresh_token=token or "", client_id=82, client_secret="a secret")


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(OAuthError) as raised:
        act()
    return raised.value.code


def test_the_challenge_is_that_of_the_standard() -> None:
    assert ASKED.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "RFC 7636, appendix B"


def test_a_code_becomes_tokens_of_its_user(world: World, oauth: OAuth) -> None:
    tokens = oauth.redeem(grant(oauth.code(USER, ASKED)))
    assert (tokens.token_type, tokens.expires_in, tokens.scope) == ("Bearer", 3600, "full offline_access")
    session = world.broker.sessions.find(tokens.access_token)
    assert session is not None
    assert session.user_id == USER


def test_an_access_token_authenticates_until_it_expires(world: World, oauth: OAuth) -> None:
    tokens = oauth.redeem(grant(oauth.code(USER, ASKED)))
    world.clock.advance(tokens.expires_in - 1)
    assert world.stranger().ask("authenticate", {"ssid": tokens.access_token})["msg"] is True
    world.clock.advance(1)
    assert world.stranger().ask("authenticate", {"ssid": tokens.access_token})["msg"] is False


def test_a_refresh_token_is_given_only_to_those_who_ask_for_it(oauth: OAuth) -> None:
    assert oauth.redeem(grant(oauth.code(USER, ASKED._replace(scope="full")))).refresh_token is None
    assert oauth.redeem(grant(oauth.code(USER, ASKED))).refresh_token


def test_a_code_is_good_for_one_try(oauth: OAuth) -> None:
    code = oauth.code(USER, ASKED)
    assert refusal(lambda: oauth.redeem(replace(grant(code), code_verifier="x" * 43))) == "invalid_grant"
    assert refusal(lambda: oauth.redeem(grant(code))) == "invalid_grant"


def test_a_code_is_good_for_a_minute(world: World, oauth: OAuth) -> None:
    code = oauth.code(USER, ASKED)
    world.clock.advance(60)
    assert refusal(lambda: oauth.redeem(grant(code))) == "invalid_grant"


@pytest.mark.parametrize("change", [{"client_id": 83}, {"redirect_uri": CALLBACK + "/other"}])
def test_a_code_is_good_for_whom_it_was_given_to(oauth: OAuth, change: dict[str, object]) -> None:
    code = oauth.code(USER, ASKED)
    assert refusal(lambda: oauth.redeem(replace(grant(code), **change))) == "invalid_grant"


def test_only_so_many_codes_wait(oauth: OAuth) -> None:
    first, second = oauth.code(USER, ASKED), oauth.code(USER, ASKED)
    for _ in range(MAX_CODES - 1):
        oauth.code(USER, ASKED)
    assert refusal(lambda: oauth.redeem(grant(first))) == "invalid_grant"
    assert oauth.redeem(grant(second)).access_token


def test_a_refresh_token_is_replaced_when_it_is_used(world: World, oauth: OAuth) -> None:
    first = oauth.redeem(grant(oauth.code(USER, ASKED)))
    second = oauth.refresh(refresh(first.refresh_token))
    assert second.refresh_token != first.refresh_token
    assert second.scope == first.scope
    assert world.broker.sessions.find(second.access_token) is not None
    assert world.broker.sessions.find(first.access_token) is not None, "it is valid until it expires"
    assert refusal(lambda: oauth.refresh(refresh(first.refresh_token))) == "invalid_grant"
    assert oauth.refresh(refresh(second.refresh_token)).access_token


def test_a_refresh_token_that_is_not_used_expires_and_is_forgotten(world: World, oauth: OAuth) -> None:
    tokens = oauth.redeem(grant(oauth.code(USER, ASKED)))
    world.clock.advance(REFRESH_SECONDS)
    assert refusal(lambda: oauth.refresh(refresh(tokens.refresh_token))) == "invalid_grant"
    oauth.redeem(grant(oauth.code(USER, ASKED)))
    assert len(world.storage.rows("SELECT digest FROM refresh_tokens")) == 1


def test_a_refresh_token_is_its_clients(oauth: OAuth) -> None:
    tokens = oauth.redeem(grant(oauth.code(USER, ASKED)))
    others = replace(refresh(tokens.refresh_token), client_id=83)
    assert refusal(lambda: oauth.refresh(others)) == "invalid_grant"
    assert oauth.refresh(refresh(tokens.refresh_token)).access_token


def test_a_refresh_token_of_the_file_stays_good_as_long_as_the_file_names_it(world: World, oauth: OAuth) -> None:
    oauth.seed([("a-token-of-ada", USER)])
    world.clock.advance(10 * REFRESH_SECONDS)
    issued = [oauth.refresh(replace(refresh("a-token-of-ada"), client_id=client)) for client in (82, 83)]
    assert len({each.refresh_token for each in issued}) == 2
    oauth.seed([])
    assert refusal(lambda: oauth.refresh(refresh("a-token-of-ada"))) == "invalid_grant"
    assert oauth.refresh(refresh(issued[0].refresh_token)).access_token


def test_where_clients_are_registered_no_others_are_accepted(world: World) -> None:
    client = Client(id=82, secret="a secret", redirect_uris=(CALLBACK,))
    oauth = OAuth(world.storage, world.broker.sessions, [client], 3600, world.clock)
    assert refusal(lambda: oauth.code(USER, ASKED._replace(client_id=83))) == "invalid_client"
    assert refusal(lambda: oauth.code(USER, ASKED._replace(redirect_uri="https://evil.invalid"))) == "invalid_request"
    tokens = oauth.redeem(grant(oauth.code(USER, ASKED)))
    wrong = replace(refresh(tokens.refresh_token), client_secret="a guess")
    assert refusal(lambda: oauth.refresh(wrong)) == "invalid_client"
    assert oauth.refresh(refresh(tokens.refresh_token)).access_token


def test_refresh_tokens_are_not_stored(world: World, oauth: OAuth) -> None:
    token = oauth.redeem(grant(oauth.code(USER, ASKED))).refresh_token or ""
    stored = [bytes(row["digest"]) for row in world.storage.rows("SELECT digest FROM refresh_tokens")]
    assert len(stored) == 1
    assert not {token.encode(), bytes.fromhex(token)} & set(stored)
