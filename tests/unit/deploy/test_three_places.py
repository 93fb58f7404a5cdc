"""The settings of a service are the same in the three places: its class, docker-compose.yml and Kubernetes."""

import os
from pathlib import Path

import pytest

from deploy.kubernetes.secrets import secret_names, secrets
from deploy.services import OWN, SERVICES
from libs.service import CannotStart
from libs.service.settings import PREFIX, load
from tests.unit.deploy.kubernetes.manifests import OVERLAYS, TOLD, environment, of_kind, pods
from tests.unit.deploy.test_compose import parts

RUNS = [(overlay, name) for overlay in OVERLAYS for name in SERVICES if overlay == "local" or name != "paper-broker"]


def known(service: str) -> set[str]:
    return {f"{PREFIX}{field.upper()}" for field in SERVICES[service].settings.model_fields}


@pytest.mark.parametrize("service", SERVICES)
def test_compose_knows_the_settings_of_the_class(service: str) -> None:
    given = {name for name in parts()[service]["environment"] if name.startswith(PREFIX)}
    assert given == known(service) - {f"{PREFIX}{OWN.upper()}"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_names_no_setting_that_there_is_not(overlay: str) -> None:
    everybody = set().union(*(known(service) for service in SERVICES))
    shared = next(each["data"] for name, each in of_kind(overlay, "ConfigMap").items() if name.startswith("settings"))
    assert set(shared) <= everybody
    for service in set(SERVICES) & set(pods(overlay)):
        own = {variable["name"] for variable in pods(overlay)[service]["containers"][0]["env"]}
        assert own - {"PREGAO_NATS_USER", "PREGAO_NATS_CA_FILE"} <= known(service)


@pytest.mark.parametrize(("overlay", "service"), RUNS)
def test_in_kubernetes_a_service_may_be_told_all_its_settings(overlay: str, service: str) -> None:
    assert pods(overlay)[service]["containers"][0]["args"] == [SERVICES[service].package]
    sources = pods(overlay)[service]["containers"][0]["envFrom"]
    assert [next(iter(source)) for source in sources] == ["configMapRef", "secretRef"]
    assert sources[1]["secretRef"] == {"name": service}


@pytest.mark.parametrize(("overlay", "service"), RUNS)
def test_in_kubernetes_a_service_starts_with_what_it_is_told(
    overlay: str, service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    told = environment(overlay, service)
    if overlay != "local":
        mounts = pods(overlay)[service]["containers"][0]["volumeMounts"]
        assert told["PREGAO_NATS_CA_FILE"] == "/tls/ca.crt"
        assert "/tls" in {mount["mountPath"] for mount in mounts}
        told["PREGAO_NATS_CA_FILE"] = str(tmp_path / "ca.crt")
        (tmp_path / "ca.crt").touch()
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    loaded = load(SERVICES[service].settings).model_dump()
    assert loaded["mode"] == ("local" if overlay == "local" else "production")
    assert loaded.get("nats_user", service) == service
    assert not loaded.get("real_accounts")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_secrets_are_in_secrets_and_nothing_else_is(overlay: str) -> None:
    kept = {secret["metadata"]["name"]: set(secret["stringData"]) for secret in secrets(TOLD)}
    for service in SERVICES:
        assert kept[service] <= set(secret_names(SERVICES[service].settings))
    for configuration in of_kind(overlay, "ConfigMap").values():
        assert not set(configuration["data"]) & set().union(
            *(secret_names(service.settings) for service in SERVICES.values())
        )


def test_who_makes_the_secrets_is_told_what_cannot_be_made() -> None:
    with pytest.raises(CannotStart) as refused:
        secrets({})
    assert str(refused.value) == (
        "must be set: PREGAO_BROKER_API_TOKEN, PREGAO_DATABASE_URL, PREGAO_SUPABASE_SECRET_KEY"
    )
    told = {name: value for name, value in TOLD.items() if name != "PREGAO_PAPER_API_TOKEN"}
    assert "paper-broker" not in {secret["metadata"]["name"] for secret in secrets(told)}
