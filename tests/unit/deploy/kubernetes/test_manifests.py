"""What is rendered is what Kubernetes takes, can do nothing to its machine, and reaches only what it needs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.kubernetes.secrets import secrets
from deploy.services import HEALTH_PORT, SERVICES
from libs.bus.permissions import SERVICES as USERS
from services.bot_runtime.partitions import PARTITIONS
from services.crm.settings import Settings as Crm
from tests.unit.deploy.kubernetes.manifests import (
    CLUSTERS,
    KUBERNETES,
    OVERLAYS,
    TOLD,
    Manifest,
    containers,
    labels,
    of_kind,
    pods,
    render,
    rendered,
)
from tests.unit.deploy.test_compose import parts

OLDEST, NEWEST = "1.31.0", "1.37.0"
"""Versions of Kubernetes: from the first whose `preStop` can sleep without being asked to on."""

BOUNCES = Crm.model_fields["mail_bounce_port"].default

every = pytest.mark.parametrize("overlay", OVERLAYS)


@pytest.mark.parametrize(("overlay", "version"), [("production", OLDEST), *((each, NEWEST) for each in OVERLAYS)])
def test_kubernetes_takes_it(overlay: str, version: str) -> None:
    for manifest in rendered(overlay):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_word_would_be_noticed() -> None:
    wrong = rendered("production")[0] | {"metdata": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="metdata"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


@every
def test_nothing_is_there_that_cannot_be_named_once(overlay: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered(overlay)]
    assert len(set(names)) == len(names)
    spaces = {each["metadata"].get("namespace") for each in rendered(overlay) if each["kind"] != "Namespace"}
    assert spaces == set(of_kind(overlay, "Namespace"))


@every
def test_no_process_is_root_or_may_become_it(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] >= 10000, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert not [volume for volume in pod.get("volumes", []) if "hostPath" in volume], name
    for name, container in containers(overlay):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


@every
def test_images_are_named_to_the_version(overlay: str) -> None:
    for name, container in containers(overlay):
        assert re.fullmatch(r"[\w/.-]+:v?\d+(\.\d+)+(-\w+)?", container["image"]), name
    ours = {container["image"] for name, container in containers(overlay) if name.split("/")[1] == "process"}
    assert len(ours) == 1
    theirs = {container["image"] for _, container in containers(overlay)} - ours
    assert theirs <= {part["image"] for part in parts().values()}, "the versions of docker-compose.yml"


@every
def test_limits_are_set(overlay: str) -> None:
    for name, container in containers(overlay):
        assert {"cpu", "memory"} <= set(container["resources"]["limits"]), name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name


@every
def test_each_container_that_stays_is_probed(overlay: str) -> None:
    for name, container in containers(overlay):
        if not name.startswith("migrate/"):
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name


@every
def test_probes_ask_where_a_process_answers(overlay: str) -> None:
    for name, container in containers(overlay):
        if name.endswith("/process") and not name.startswith("migrate/"):
            assert {"name": "health", "containerPort": HEALTH_PORT} in container["ports"]
            asked = {container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")}
            assert asked == {"health"}
    # One that is not ready is not sent browsers; without the bus an edge still answers from memory.
    readiness = {name: container.get("readinessProbe") for name, container in containers(overlay)}
    assert readiness["edge/process"]["httpGet"]["path"] == "/health/started"  # type: ignore[index]
    assert readiness["gateway/process"]["httpGet"]["path"] == "/health/ready"  # type: ignore[index]


@every
def test_an_order_has_the_time_to_end_that_it_has_elsewhere(overlay: str) -> None:
    for name in set(SERVICES) & set(pods(overlay)):
        pod = pods(overlay)[name]
        sends_on = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        compose = int(parts()[name]["stop_grace_period"].removesuffix("s"))
        assert pod["terminationGracePeriodSeconds"] >= sends_on + compose


@every
def test_nobody_has_rights_in_the_cluster(overlay: str) -> None:
    accounts = of_kind(overlay, "ServiceAccount")
    for name, pod in pods(overlay).items():
        assert pod["serviceAccountName"] == name
        assert pod["automountServiceAccountToken"] is False
        assert accounts[name]["automountServiceAccountToken"] is False
    assert of_kind(overlay, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding") == {}


@every
def test_no_secret_is_written_here(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}


@every
def test_the_servers_key_is_the_servers(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        for volume in pod.get("volumes", []):
            if name != "nats" and volume.get("secret", {}).get("secretName") == "nats-tls":
                assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]


@pytest.mark.parametrize("overlay", CLUSTERS)
def test_there_are_two_where_one_would_be_missed_and_they_are_apart(overlay: str) -> None:
    sizes = {name: spec["spec"].get("replicas") for name, spec in of_kind(overlay, "Deployment").items()}
    scaled = {name: spec["spec"]["minReplicas"] for name, spec in of_kind(overlay, "HorizontalPodAutoscaler").items()}
    assert {name for name, size in sizes.items() if size is None} == set(scaled), "a roll-out would undo the scaling"
    assert set(sizes) == set(USERS)
    assert min({**sizes, **scaled}.values()) >= 2
    budgets = of_kind(overlay, "PodDisruptionBudget")
    for name, spec in pods(overlay).items():
        if name != "migrate":
            mine = {"matchLabels": {"app.kubernetes.io/name": name}}
            assert {each["topologyKey"] for each in spec["topologySpreadConstraints"]} >= {"kubernetes.io/hostname"}
            assert all(each["labelSelector"] == mine for each in spec["topologySpreadConstraints"])
            assert budgets[name]["spec"] == {"maxUnavailable": 1, "selector": mine}


@pytest.mark.parametrize("overlay", CLUSTERS)
def test_what_grows_is_what_fills_a_process(overlay: str) -> None:
    measured = {
        name: spec["spec"]["metrics"][0]["pods"]["metric"]["name"]
        for name, spec in of_kind(overlay, "HorizontalPodAutoscaler").items()
    }
    assert measured == {"gateway": "pregao_broker_sessions", "bots": "pregao_bots", "edge": "pregao_edge_sockets"}
    adapter = (KUBERNETES / "monitoring" / "adapter.yaml").read_text()
    assert all(metric in adapter for metric in measured.values())
    assert of_kind(overlay, "HorizontalPodAutoscaler")["bots"]["spec"]["maxReplicas"] <= PARTITIONS


@pytest.mark.parametrize("overlay", CLUSTERS)
def test_the_bus_is_three_servers_that_show_who_they_are(overlay: str) -> None:
    servers = of_kind(overlay, "StatefulSet")["nats"]["spec"]
    container = servers["template"]["spec"]["containers"][0]
    assert servers["replicas"] == 3
    assert container["args"][:2] == ["--config", "/etc/nats/cluster-tls.conf"]
    settings = next(each["data"] for name, each in of_kind(overlay, "ConfigMap").items() if name.startswith("settings"))
    assert settings["PREGAO_NATS_REPLICAS"] == "3"
    assert all(url.startswith("tls://") for url in settings["PREGAO_NATS_URL"].split(","))


@pytest.mark.parametrize("overlay", CLUSTERS)
def test_mails_are_signed_with_a_key_that_is_mounted_and_lead_to_where_browsers_come(overlay: str) -> None:
    pod = pods(overlay)["crm"]
    assert {"name": "dkim", "mountPath": "/dkim", "readOnly": True} in pod["containers"][0]["volumeMounts"]
    assert {"name": "dkim", "secret": {"secretName": "dkim", "optional": True}} in pod["volumes"]
    settings = next(each["data"] for name, each in of_kind(overlay, "ConfigMap").items() if name.startswith("settings"))
    host = of_kind(overlay, "Ingress")["edge"]["spec"]["rules"][0]["host"]
    assert settings["PREGAO_MAIL_PUBLIC_URL"] == f"https://{host}"


def with_component(name: str, directory: Path) -> dict[tuple[str, str], Manifest]:
    """The base with something that an overlay may want."""
    there = os.path.relpath(KUBERNETES, directory.resolve())
    (directory / "kustomization.yaml").write_text(
        f"namespace: pregao\nresources: [{there}/base]\ncomponents: [{there}/{name}]\n"
    )
    made = {(each["kind"], each["metadata"]["name"]): each for each in render(directory)}
    for manifest in made.values():
        kubernetes_validate.validate(manifest, NEWEST, strict=True)
    return made


def test_mails_that_come_back_reach_crm_alone_and_only_where_that_is_wanted(tmp_path: Path) -> None:
    made = with_component("bounces", tmp_path)
    service = made["Service", "bounces"]["spec"]
    container = made["Deployment", "crm"]["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert service["selector"] == {"app.kubernetes.io/name": "crm"}
    assert [(port["port"], ports[port["targetPort"]]) for port in service["ports"]] == [(25, BOUNCES)]
    policy = made["NetworkPolicy", "bounces"]["spec"]
    assert policy["podSelector"] == {"matchLabels": service["selector"]}
    assert policy["ingress"][0]["ports"] == [{"port": BOUNCES}]
    assert "bounces" not in of_kind("production", "Service", "NetworkPolicy")


def test_who_makes_backups_is_as_harmless_as_the_others_and_reaches_the_bus(tmp_path: Path) -> None:
    made = with_component("backup", tmp_path)
    template = made["CronJob", "backup"]["spec"]["jobTemplate"]["spec"]["template"]
    pod, container = template["spec"], template["spec"]["containers"][0]
    example = made["Job", "migrate"]["spec"]["template"]["spec"]
    assert container["securityContext"] == example["containers"][0]["securityContext"]
    assert container["image"] == example["containers"][0]["image"]
    assert pod["securityContext"] == {**example["securityContext"], "fsGroup": 10001}
    assert pod["automountServiceAccountToken"] is False
    assert selects(made["NetworkPolicy", "to-the-bus"]["spec"]["podSelector"], template["metadata"]["labels"])
    assert not selects(made["NetworkPolicy", "internet"]["spec"]["podSelector"], template["metadata"]["labels"])
    password = next(each for each in container["env"] if each["name"] == "PREGAO_NATS_PASSWORD")
    secret = password["valueFrom"]["secretKeyRef"]
    kept = {each["metadata"]["name"]: each["stringData"] for each in secrets(TOLD)}
    assert secret["key"] in kept[secret["name"]]
    assert container["args"][0] == "deploy.backup"
    assert container["args"][2].startswith(container["volumeMounts"][0]["mountPath"])


def peers(overlay: str, direction: str) -> Iterator[tuple[str, Any, Any]]:
    """Who may talk, with whom, on which ports, by the policies."""
    for policy in of_kind(overlay, "NetworkPolicy").values():
        for pod, of_pod in labels(overlay).items():
            if selects(policy["spec"]["podSelector"], of_pod):
                for rule in policy["spec"].get(direction, []):
                    other = rule.get("from" if direction == "ingress" else "to")
                    yield pod, other, tuple(port["port"] for port in rule["ports"])


def selects(selector: Manifest, of_pod: dict[str, str]) -> bool:
    chosen = all(of_pod.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    for rule in selector.get("matchExpressions", []):
        present = of_pod.get(rule["key"])
        chosen &= present is not None if rule["operator"] == "Exists" else present in rule["values"]
    return chosen


@every
def test_only_the_edge_faces_the_ingress(overlay: str) -> None:
    ingress = of_kind(overlay, "Ingress")
    assert [
        path["backend"]["service"]["name"]
        for rule in ingress["edge"]["spec"]["rules"]
        for path in rule["http"]["paths"]
    ] == ["edge"]
    assert set(ingress) == {"edge"}
    door = {pod for pod, other, _ in peers(overlay, "ingress") if "pregao/door" in str(other)}
    assert door == {"edge"}
    assert of_kind(overlay, "NetworkPolicy")["nobody"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert not [pod for pod, other, _ in peers(overlay, "ingress") if not other]
    if overlay in CLUSTERS:
        assert ingress["edge"]["spec"]["tls"]
        assert not {each["spec"].get("type") for each in of_kind(overlay, "Service").values()} - {None}


@pytest.mark.parametrize("overlay", CLUSTERS)
def test_a_process_reaches_only_what_it_needs(overlay: str) -> None:
    reached: dict[str, set[int]] = {}
    for pod, _, ports in peers(overlay, "egress"):
        reached.setdefault(pod, set()).update(ports)
    assert {pod: ports - {53} for pod, ports in reached.items()} == {
        "gateway": {4222, 4318, 443},
        "bots": {4222, 4318},
        "analytics": {4222, 4318, 443, 587},
        "crm": {4222, 4318, 443, 587},
        "edge": {4222, 4318, 443},
        "migrate": {5432},
        "nats": {6222},
    }


@every
def test_the_cloud_does_not_tell_them_who_the_machine_is(overlay: str) -> None:
    for pod, other, _ in peers(overlay, "egress"):
        blocks = [peer["ipBlock"] for peer in other or () if "ipBlock" in peer]
        assert all({"169.254.0.0/16", "fe80::/10"} & set(block["except"]) for block in blocks), pod


def test_the_migration_and_what_it_needs_come_first() -> None:
    phases: dict[str, set[str]] = {}
    for manifest in rendered("production"):
        phase = manifest["metadata"].get("labels", {}).get("pregao/phase", "")
        phases.setdefault(phase, set()).add(f"{manifest['kind']}/{manifest['metadata']['name']}")
    assert phases["migration"] == {"Job/migrate"}
    policies = {f"NetworkPolicy/{name}" for name in ("nobody", "names", "database")}
    assert phases["before"] == {"Namespace/pregao", "ServiceAccount/migrate", *policies}
    assert set(re.findall(r"pregao/phase=(\w+)", (KUBERNETES / "roll_out.sh").read_text())) == {"before", "migration"}


MIGRATED = [
    "apply -f FILE --selector pregao/phase=before",
    "--namespace pregao-staging delete job migrate --ignore-not-found --wait",
    "apply -f FILE --selector pregao/phase=migration",
    "--namespace pregao-staging wait job/migrate --for=condition=complete --timeout=5s",
]


def rolled_out(directory: Path, but_for: str = "nothing") -> tuple[int, list[str]]:
    """With a kubectl that notes what a cluster would be asked and says yes, `but_for` that, and renders for real."""
    real, asked = Path(sys.prefix) / "bin" / "kubectl", directory / "asked"
    kubectl = directory / "kubectl"
    kubectl.write_text(
        f'#!/bin/sh\n[ "$1" = kustomize ] && exec {real} "$@"\necho "$@" | sed "s# /tmp[^ ]*# FILE#" >>{asked}\n'
        f'case "$*" in *{but_for}*) exit 1;; esac\n'
    )
    kubectl.chmod(0o755)
    told = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}
    done = subprocess.run([KUBERNETES / "roll_out.sh", "staging"], env=told, check=False, timeout=30)
    return done.returncode, asked.read_text().splitlines()


def test_after_a_migration_that_failed_nothing_else_is_told(tmp_path: Path) -> None:
    code, steps = rolled_out(tmp_path, but_for="condition=complete")
    assert code == 1
    assert steps == [
        *MIGRATED,
        "--namespace pregao-staging wait job/migrate --for=condition=failed --timeout=1s",
        "--namespace pregao-staging logs job/migrate --tail=20",
    ]


def test_a_cluster_is_told_in_order(tmp_path: Path) -> None:
    code, steps = rolled_out(tmp_path)
    assert code == 0
    assert steps[:5] == [*MIGRATED, "apply -f FILE"]
    followed = {re.findall(r"(?:statefulset|deployment)/\S+", step)[0].split("/")[1] for step in steps[5:]}
    assert followed == set(pods("staging")) - {"migrate"}


def test_the_clusters_prometheus_finds_every_service() -> None:
    jobs = yaml.safe_load((KUBERNETES / "monitoring" / "prometheus.yml").read_text())["scrape_configs"]
    kept = {job["job_name"]: job["relabel_configs"][0]["regex"] for job in jobs}
    found = {name for name in pods("production") if re.fullmatch(kept["pregao"], f"{name};health")}
    assert found == set(USERS)
    assert kept["nats"] == "nats;metrics"
    ports = {port["name"] for _, container in containers("production") for port in container.get("ports", [])}
    assert {"health", "metrics"} <= ports
