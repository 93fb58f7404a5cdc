"""What the overlays render to, by the real kubectl, and what a container finds in its environment."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes.secrets import secrets
from deploy.settings_table import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("local", "staging", "production")
CLUSTERS = ("staging", "production")
Manifest = dict[str, Any]

TOLD = {
    "PREGAO_BROKER_API_TOKEN": "wJ4-broker-token-8Kq2zT",
    "PREGAO_PAPER_API_TOKEN": "wJ4-broker-token-8Kq2zT",
    "PREGAO_SUPABASE_SECRET_KEY": "sb_secret_q8Wz2KfTr5Lm9Xv",
    "PREGAO_SUPABASE_JWT_SECRET": "m2Vt9QxR7bLw4ZkS8nHc3YpD6fGj1TaU",
    "PREGAO_DATABASE_URL": "postgresql://postgres:p@database.example:5432/postgres?sslmode=verify-full",
}


@cache
def rendered(overlay: str) -> list[Manifest]:
    return render(KUBERNETES / "overlays" / overlay)


def render(directory: Path) -> list[Manifest]:
    kubectl = Path(sys.prefix) / "bin" / "kubectl"
    done = subprocess.run([kubectl, "kustomize", directory], check=True, capture_output=True, timeout=30)
    return [manifest for manifest in yaml.load_all(done.stdout, yaml.CSafeLoader) if manifest]


def of_kind(overlay: str, *kinds: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in rendered(overlay) if each["kind"] in kinds}


def pods(overlay: str) -> dict[str, Manifest]:
    """Specifications of pods, by who makes them."""
    makers = of_kind(overlay, "Deployment", "StatefulSet", "Job")
    return {name: maker["spec"]["template"]["spec"] for name, maker in makers.items()}


def labels(overlay: str) -> dict[str, dict[str, str]]:
    makers = of_kind(overlay, "Deployment", "StatefulSet", "Job")
    return {name: maker["spec"]["template"]["metadata"]["labels"] for name, maker in makers.items()}


def containers(overlay: str) -> Iterable[tuple[str, Manifest]]:
    for name, pod in pods(overlay).items():
        for container in pod["containers"]:
            yield f"{name}/{container['name']}", container


def environment(overlay: str, name: str) -> dict[str, str]:
    """Of the first container: what is read from elsewhere, then what is said of it alone."""
    container = pods(overlay)[name]["containers"][0]
    maps: Mapping[str, Manifest] = of_kind(overlay, "ConfigMap")
    kept = {secret["metadata"]["name"]: secret["stringData"] for secret in secrets(TOLD)}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]["data"] if "configMapRef" in source else {}
        found |= kept[source["secretRef"]["name"]] if "secretRef" in source else {}
    for variable in container.get("env", []):
        found[variable["name"]] = variable.get("value", "of-the-pod")
    return found
