import os
from pathlib import Path

import pytest

from libs.service import CannotStart
from libs.service.settings import load
from services.socket_edge.settings import Settings

STRONG = "b1R7xq-Zt04mKcUeW9yHs2LdJp6vNfGa"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.upper().startswith("PREGAO_")]:
        monkeypatch.delenv(name)
    for name in ("NATS_PASSWORD", "SUPABASE_SECRET_KEY", "SUPABASE_JWT_SECRET"):
        monkeypatch.setenv(f"PREGAO_{name}", STRONG)
    monkeypatch.setenv("PREGAO_NATS_USER", "edge")
    return monkeypatch


def test_the_clients_of_a_developer_may_call_by_default() -> None:
    assert load(Settings).edge_cors_origins == (
        "http://localhost:5173",
        "http://localhost:4173",
        "http://localhost:5174",
    )


def test_origins_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PREGAO_EDGE_CORS_ORIGINS", "https://app.example, https://admin.example:8443,")
    assert load(Settings).edge_cors_origins == ("https://app.example", "https://admin.example:8443")


def test_no_origins_is_possible(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PREGAO_EDGE_CORS_ORIGINS", "")
    assert load(Settings).edge_cors_origins == ()


@pytest.mark.parametrize("origin", ["*", "app.example", "https://app.example/", "https://app.example/x", "file://x"])
def test_what_is_no_origin_is_refused(environment: pytest.MonkeyPatch, origin: str) -> None:
    environment.setenv("PREGAO_EDGE_CORS_ORIGINS", origin)
    with pytest.raises(CannotStart, match=r"^PREGAO_EDGE_CORS_ORIGINS: "):
        load(Settings)


def test_tokens_can_be_verified_by_secret_or_by_keys(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).supabase_jwks_url is None
    environment.delenv("PREGAO_SUPABASE_JWT_SECRET")
    with pytest.raises(CannotStart, match=r"^PREGAO_SUPABASE_JWKS_URL: "):
        load(Settings)
    environment.setenv("PREGAO_SUPABASE_JWKS_URL", "https://project.example/auth/v1/.well-known/jwks.json")
    assert load(Settings).supabase_jwt_secret is None


def test_an_empty_variable_is_as_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PREGAO_SUPABASE_JWKS_URL", "")
    environment.setenv("PREGAO_SUPABASE_JWT_ISSUER", "")
    settings = load(Settings)
    assert settings.supabase_jwks_url is None
    assert settings.supabase_jwt_issuer is None


def test_production_refuses_a_short_signing_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PREGAO_MODE", "production")
    environment.setenv("PREGAO_SUPABASE_JWT_SECRET", STRONG[:31])
    with pytest.raises(CannotStart, match=r"^PREGAO_SUPABASE_JWT_SECRET: "):
        load(Settings)


def test_requests_without_a_token_are_believed_on_one_machine_only(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).edge_auth == "strict"
    environment.setenv("PREGAO_EDGE_AUTH", "legacy")
    assert load(Settings).edge_auth == "legacy"
    for name, value in (("PREGAO_EDGE_HOST", "0.0.0.0"), ("PREGAO_MODE", "production")):  # noqa: S104 - refused
        with environment.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(CannotStart, match=r"PREGAO_EDGE_AUTH: "):
                load(Settings)


def test_a_client_is_a_directory_with_a_page(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("PREGAO_EDGE_CLIENT_DIR", str(tmp_path))
    with pytest.raises(CannotStart, match=r"^PREGAO_EDGE_CLIENT_DIR: "):
        load(Settings)
    (tmp_path / "index.html").write_text("<head></head>")
    assert load(Settings).edge_client_dir == tmp_path


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "anywhere"])
def test_a_proxy_is_named_by_its_network(environment: pytest.MonkeyPatch, networks: str) -> None:
    environment.setenv("PREGAO_EDGE_TRUSTED_PROXIES", networks)
    with pytest.raises(CannotStart, match=r"^PREGAO_EDGE_TRUSTED_PROXIES"):
        load(Settings)
