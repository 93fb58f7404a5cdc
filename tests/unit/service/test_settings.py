import os
import socket

import pytest

from libs.service import CannotStart, ServiceSettings, SigningSecret, SupabaseSettings
from libs.service.settings import ProcessSettings, load

STRONG = "b1R7xq-Zt04mKcUeW9yHs2LdJp6vNfGa"


class Settings(SupabaseSettings, ServiceSettings):
    health_port: int = 4199
    signing_secret: SigningSecret | None = None


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.upper().startswith("PREGAO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREGAO_NATS_USER", "edge")
    monkeypatch.setenv("PREGAO_NATS_PASSWORD", "short")
    monkeypatch.setenv("PREGAO_SUPABASE_SECRET_KEY", "short")
    return monkeypatch


def test_values_come_from_the_environment_whatever_the_case(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("pregao_health_port", "4321")
    assert load(Settings).health_port == 4321


def test_the_instance_is_host_and_process_by_default() -> None:
    assert load(ProcessSettings).instance == f"{socket.gethostname().lower().replace('.', '-')}-{os.getpid()}"


def test_every_bad_field_gets_one_line_that_names_its_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PREGAO_HEALTH_PORT", "many")
    environment.delenv("PREGAO_NATS_PASSWORD")
    with pytest.raises(CannotStart) as refused:
        load(Settings)
    lines = sorted(str(refused.value).splitlines())
    assert [line.split(":")[0] for line in lines] == ["PREGAO_HEALTH_PORT", "PREGAO_NATS_PASSWORD"]


def test_a_refusal_does_not_repeat_the_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PREGAO_MODE", "production")
    environment.setenv("PREGAO_NATS_PASSWORD", "hunter2")
    with pytest.raises(CannotStart) as refused:
        load(Settings)
    assert "hunter2" not in str(refused.value)


def test_local_mode_takes_weak_secrets() -> None:
    assert load(Settings).nats_password.get_secret_value() == "short"


@pytest.mark.parametrize("weak", ["NATS_PASSWORD", "SUPABASE_SECRET_KEY", "SIGNING_SECRET"])
def test_production_refuses_each_weak_secret(environment: pytest.MonkeyPatch, weak: str) -> None:
    environment.setenv("PREGAO_MODE", "production")
    for name in ("NATS_PASSWORD", "SUPABASE_SECRET_KEY", "SIGNING_SECRET"):
        environment.setenv(f"PREGAO_{name}", "weak" if name == weak else STRONG)
    with pytest.raises(CannotStart, match=f"^PREGAO_{weak}: .*shorter than"):
        load(Settings)


def test_production_takes_strong_secrets(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PREGAO_MODE", "production")
    environment.setenv("PREGAO_NATS_PASSWORD", STRONG)
    environment.setenv("PREGAO_SUPABASE_SECRET_KEY", STRONG)
    assert load(Settings).mode == "production"


def test_settings_do_not_show_their_secrets() -> None:
    assert "short" not in repr(load(Settings))
