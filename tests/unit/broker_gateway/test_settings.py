"""Keys that session ids are encrypted with: right, or refused by a line that names the setting."""

import base64

import pytest

from libs.service import CannotStart
from libs.service.settings import load
from services.broker_gateway.settings import Settings

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NATS_USER": "gateway",
        "NATS_PASSWORD": "long-and-various-9173",
        "BROKER_WS_URL": "wss://broker.invalid/echo/websocket",
        "BROKER_SESSION_URL": "https://broker.invalid/sessions",
        "BROKER_API_HOST": "https://broker.invalid",
        "BROKER_API_TOKEN": "another-long-one-20586",
        "BROKER_SYSTEM_USER_ID": "1",
    }.items():
        monkeypatch.setenv(f"PREGAO_{name}", value)


def test_several_keys_are_read_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREGAO_SESSION_KEYS", f"{KEY},{OTHER}")
    assert load(Settings).vault_keys() == (bytes(range(32)), bytes(32))


def test_without_one_a_key_is_made_that_nobody_knows_again() -> None:
    settings = load(Settings)
    assert settings.vault_keys() != settings.vault_keys()


@pytest.mark.parametrize("keys", ["", "short", base64.b64encode(bytes(31)).decode(), f"{KEY},", f"{KEY} {OTHER}"])
def test_what_is_no_key_is_refused(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("PREGAO_SESSION_KEYS", keys)
    with pytest.raises(CannotStart, match="PREGAO_SESSION_KEYS"):
        load(Settings)


def test_production_insists_on_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREGAO_MODE", "production")
    with pytest.raises(CannotStart, match="PREGAO_SESSION_KEYS: Value error, is required"):
        load(Settings)
    monkeypatch.setenv("PREGAO_SESSION_KEYS", KEY)
    assert load(Settings).vault_keys() == (bytes(range(32)),)


@pytest.mark.parametrize("name", ["BROKER_WS_URL", "BROKER_SESSION_URL", "BROKER_USERS_URL", "BROKER_API_HOST"])
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_production_talks_to_the_broker_over_tls_alone(monkeypatch: pytest.MonkeyPatch, name: str, scheme: str) -> None:
    monkeypatch.setenv("PREGAO_MODE", "production")
    monkeypatch.setenv("PREGAO_SESSION_KEYS", KEY)
    monkeypatch.setenv(f"PREGAO_{name}", f"{scheme}://broker.invalid/somewhere")
    with pytest.raises(CannotStart, match=f"PREGAO_{name}: .* is not encrypted"):
        load(Settings)
