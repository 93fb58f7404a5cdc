"""docker-compose.yml: what it says is valid, true of this repository, and as closed as it can be."""

import json
import os
from typing import Any

import jwt
import pytest
from compose_spec import PyCompose
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from deploy.compose.environment import environment as made
from deploy.compose.environment import password_variable
from deploy.compose.settings import COMPOSE, written
from deploy.services import OWN, SERVICES
from deploy.settings_table import ROOT
from libs.bus.permissions import ADMIN
from libs.bus.permissions import SERVICES as USERS
from libs.service.secrets import weakness
from libs.service.settings import load
from tests.unit.deploy.compose_file import NOW, compose, environment, interpolated, merged

OURS = [*SERVICES, "migrate"]


def parts() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = compose()["services"]
    return services


def settings(service: str, monkeypatch: pytest.MonkeyPatch, told: dict[str, str]) -> BaseSettings:
    for name in [name for name in os.environ if name.upper().startswith("PREGAO_")]:
        monkeypatch.delenv(name)
    for name, value in environment(service, told).items():
        monkeypatch.setenv(name, value)
    return load(SERVICES[service].settings)


def test_it_is_what_the_specification_says() -> None:
    PyCompose.from_json(json.dumps(merged(made(NOW))))


def test_a_misspelt_word_would_be_noticed() -> None:
    wrong = merged(made(NOW))
    wrong["services"]["edge"]["enviroment"] = {}
    with pytest.raises(ValueError, match="enviroment"):
        PyCompose.from_json(json.dumps(wrong))


def test_the_settings_are_those_of_the_classes() -> None:
    text = COMPOSE.read_text()
    assert text == written(text), "run `make settings`"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_be_told_all_its_settings_and_nothing_else(service: str) -> None:
    given = {name for name in parts()[service]["environment"] if name.startswith("PREGAO_")}
    assert given == {f"PREGAO_{field.upper()}" for field in SERVICES[service].settings.model_fields if field != OWN}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_what_it_is_told(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = settings(service, monkeypatch, {**made(NOW)})
    assert loaded.model_dump()["health_host"] == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_set_in_the_environment_reaches_it(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        settings(service, monkeypatch, {**made(NOW), "PREGAO_LOG_LEVEL": "ERROR"}).model_dump()["log_level"] == "ERROR"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_written_here(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = settings(service, monkeypatch, {**made(NOW)})
    secret = [name for name, value in loaded if isinstance(value, SecretStr)]
    assert secret
    written_here = {name: parts()[service]["environment"][f"PREGAO_{name.upper()}"] for name in secret}
    assert [name for name, value in written_here.items() if value is not None and ":?" not in value] == []


def test_secrets_that_are_made_are_strong_and_all_there_are() -> None:
    told = made(NOW)
    passwords = [password_variable(user) for user in (*USERS, ADMIN, "sys", "cluster")]
    assert [name for name in passwords if weakness(told[name], 32) or not told[name][0].isalpha()] == []
    assert len({told[name] for name in passwords}) == len(passwords)
    key = jwt.decode(
        told["PREGAO_SUPABASE_SECRET_KEY"],
        told["PREGAO_SUPABASE_JWT_SECRET"],
        ["HS256"],
        options={"verify_iat": False, "verify_exp": False},
    )
    assert (key["role"], key["iat"]) == ("service_role", NOW)


def test_nobody_has_to_be_told_more_than_is_made() -> None:
    merged(made(NOW))
    with pytest.raises(KeyError):
        merged({})


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_can_do_nothing_to_the_machine(name: str) -> None:
    part = parts()[name]
    assert (part["read_only"], part["cap_drop"], part["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert "privileged" not in part
    assert "user" not in part  # the image's own, which is not root (tests/unit/deploy/test_dockerfile.py)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits_and_time_to_end(name: str) -> None:
    assert set(parts()[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert parts()[name]["stop_grace_period"] == "40s"
    assert parts()[name]["command"] == [SERVICES[name].package]


def test_images_are_named_to_the_version() -> None:
    others = {name: part["image"] for name, part in parts().items() if "build" not in part}
    assert {
        name for name, image in others.items() if not any(digit.isdigit() for digit in image.partition(":")[2])
    } == set()


def test_only_this_machine_reaches_what_is_published() -> None:
    for part in parts().values():
        for port in part.get("ports", []):
            assert interpolated(port, {}).startswith("127.0.0.1:")
    published = {name for name, part in parts().items() if part.get("ports")}
    assert published == {"door", "crm", "supabase", "mail", "prometheus", "grafana"}


def test_what_is_mounted_is_there() -> None:
    mounted = [volume for part in parts().values() for volume in part.get("volumes", [])]
    bound = {source for source, *_ in (volume.split(":") for volume in mounted) if source.startswith(".")}
    assert [source for source in bound if not (ROOT / source).exists()] == []
    named = {volume.split(":")[0] for volume in mounted} - bound - {"/"}  # node-exporter reads how full disks are
    assert named == set(compose()["volumes"])


def test_whom_traffic_comes_from_is_the_network_that_is_made() -> None:
    network = compose()["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert environment("edge", made(NOW))["PREGAO_EDGE_TRUSTED_PROXIES"] == network


def test_two_of_each_service_run_where_one_alone_would_be_missed() -> None:
    replicas = {name: parts()[name]["deploy"]["replicas"] for name in USERS}
    assert replicas == {"gateway": 2, "bots": 2, "analytics": 2, "crm": 1, "edge": 2}


def test_a_cluster_is_three_servers_with_their_own_data_and_each_others_routes() -> None:
    three = {name: part for name, part in parts().items() if part.get("profiles") == ["cluster"]}
    assert set(three) == {"nats-1", "nats-2", "nats-3"}
    for name, part in three.items():
        assert part["environment"]["NATS_SERVER_NAME"] == name
        assert f"{name}:/data" in part["volumes"]
        routes = [part["environment"][f"NATS_ROUTE_{number}"] for number in (1, 2, 3)]
        assert [route.rpartition("@")[2] for route in routes] == [f"{other}:6222" for other in three]
