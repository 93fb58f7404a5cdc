from pathlib import Path

import pytest

from deploy.local.parts import Part, Parts
from deploy.local.secrets import Secrets, generate
from deploy.local.settings import LocalSettings
from libs.bus.permissions import SERVICES


@pytest.fixture
def secrets() -> Secrets:
    return generate()


@pytest.fixture
def parts(secrets: Secrets, tmp_path: Path) -> Parts:
    return Parts(LocalSettings(local_dir=tmp_path, edge_port=9001), secrets)


def by_name(parts: Parts) -> dict[str, Part]:
    return {part.name: part for part in (*parts.infrastructure(), *parts.services())}


def test_every_user_of_the_bus_is_a_service_that_runs(parts: Parts) -> None:
    assert {part.name for part in parts.services()} == set(SERVICES)


def test_every_service_logs_in_as_itself(parts: Parts, secrets: Secrets) -> None:
    for part in parts.services():
        assert part.environment["PREGAO_NATS_USER"] == part.name
        assert part.environment["PREGAO_NATS_PASSWORD"] == secrets.nats[part.name]


@pytest.mark.parametrize(
    ("setting", "who"),
    [
        ("PREGAO_SUPABASE_SECRET_KEY", {"analytics", "crm", "edge"}),
        ("PREGAO_SUPABASE_JWT_SECRET", {"edge"}),
        ("PREGAO_BROKER_API_TOKEN", {"gateway"}),
        ("PREGAO_PAPER_API_TOKEN", {"paper-broker"}),
        ("PREGAO_EDGE_PORT", {"edge"}),
    ],
)
def test_a_secret_is_told_only_to_those_who_need_it(parts: Parts, setting: str, who: set[str]) -> None:
    assert {name for name, part in by_name(parts).items() if setting in part.environment} == who


def test_nobody_is_told_anothers_password(parts: Parts, secrets: Secrets) -> None:
    for name, part in by_name(parts).items():
        others = {password for user, password in secrets.nats.items() if user != name}
        assert not others & set(part.environment.values())


def test_no_secret_is_on_a_command_line(parts: Parts, secrets: Secrets) -> None:
    words = {word for part in by_name(parts).values() for word in part.command}
    assert not words & {secrets.supabase_secret_key, secrets.supabase_jwt_secret, secrets.broker_api_token}


def test_a_port_is_a_setting_that_is_named_when_something_goes_wrong(parts: Parts) -> None:
    named = {setting for part in by_name(parts).values() for setting in part.settings}
    assert named == set(LocalSettings().ports())
    assert by_name(parts)["edge"].environment["PREGAO_EDGE_PORT"] == "9001"


def test_health_is_asked_where_the_process_was_told_to_answer(parts: Parts) -> None:
    for name in (*SERVICES, "paper-broker"):
        part = by_name(parts)[name]
        assert part.health == f"http://127.0.0.1:{part.environment['PREGAO_HEALTH_PORT']}/health/ready"
