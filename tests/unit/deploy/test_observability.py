"""Dashboards and alerts speak of metrics that there are, in PromQL that can be read, and each alert has a runbook."""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

import libs
import services
from deploy.observability import dashboards
from deploy.observability.boards import BOARDS, RATE, Board
from deploy.services import SERVICES
from deploy.settings_table import ROOT
from libs.bus.permissions import SERVICES as USERS
from services.bot_runtime.partitions import PARTITIONS
from tests.unit.deploy.compose_file import compose
from tests.unit.deploy.kubernetes.manifests import containers

PROMETHEUS = ROOT / "deploy" / "observability" / "prometheus"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

OTHERS = {
    # of Prometheus itself
    "up",
    # of every Python process
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
    # of natsio/prometheus-nats-exporter
    "gnatsd_varz_connections",
    "gnatsd_varz_in_msgs",
    "gnatsd_varz_out_msgs",
    "gnatsd_varz_slow_consumers",
    "gnatsd_varz_mem",
    "jetstream_stream_total_bytes",
    "jetstream_consumer_num_pending",
    # of prom/node-exporter
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    # of a kubelet
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
}
WHERE = {"job", "instance", "le"}
"""Labels that Prometheus adds."""


def modules(package: ModuleType) -> Iterator[str]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            yield module.name


@pytest.fixture(scope="module")
def metrics() -> dict[str, set[str]]:
    """The labels of every series that our processes may have."""
    for package in (libs, services):
        for name in modules(package):
            importlib.import_module(name)
    known: dict[str, set[str]] = {}
    for collector in set(REGISTRY._names_to_collectors.values()):
        if isinstance(collector, MetricWrapperBase):
            known |= {series: {*collector._labelnames, *WHERE} for series in names(collector)}
    return known


def names(metric: MetricWrapperBase) -> list[str]:
    endings = {Counter: ["_total"], Gauge: [""], Histogram: ["_bucket", "_sum", "_count"]}
    return [f"{metric._name}{ending}" for ending in endings[type(metric)]]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> list[str]:
    shown = [query for board in BOARDS for panel in board.panels for query, _ in panel.queries]
    return [query.replace(RATE, "[5m]") for query in shown] + [rule["expr"] for rule in alerts()]


def selected(query: str) -> list[tuple[str, set[str]]]:
    """The series that a query reads, and the labels by which it chooses among them."""
    found = re.findall(r"([a-zA-Z_]\w*)\s*(?:\{([^}]*)\})?", str(promql_parser.parse(query)))
    return [
        (name, set(re.findall(r"(\w+)\s*[=!]", matchers))) for name, matchers in found if "_" in name or name == "up"
    ]


@pytest.mark.parametrize("query", queries())
def test_a_query_reads_what_there_is(query: str, metrics: dict[str, set[str]]) -> None:
    grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(",")}
    read = [(name, labels) for name, labels in selected(query) if name not in grouped | {"histogram_quantile"}]
    assert read
    for name, labels in read:
        assert name in OTHERS or name in metrics, name
        if name in metrics:
            assert labels | grouped <= metrics[name]


def test_every_metric_of_ours_is_shown_somewhere(metrics: dict[str, set[str]]) -> None:
    read = " ".join(queries())
    hidden = {re.sub("_(total|bucket|sum|count)$", "", name) for name in metrics if name.startswith("pregao_")}
    assert {name for name in hidden if name not in read} == set()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_grafanas_files_are_those_that_are_made(board: Board) -> None:
    assert dashboards.file(board).read_text() == dashboards.text(board), "run `make settings`"
    panels = json.loads(dashboards.text(board))["panels"]
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


def test_there_is_no_other_dashboard() -> None:
    assert {file.stem for file in dashboards.DIRECTORY.iterdir()} == {board.name for board in BOARDS}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"]
    row = re.search(rf"^\| `{rule['alert']}` \| (.+) \|$", OPERATIONS, re.MULTILINE)
    assert row is not None
    assert len(row[1]) > 40


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    section = OPERATIONS.split("\n## Alerts of Prometheus")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [rule["alert"] for rule in alerts()]


def test_the_number_of_partitions_is_the_bots_own() -> None:
    unheld = next(rule["expr"] for rule in alerts() if rule["alert"] == "BotsUnheld")
    assert unheld == f"sum(pregao_bot_partitions) < {PARTITIONS}"


def test_memory_is_told_of_before_a_process_is_killed_for_it() -> None:
    rule = next(rule["expr"] for rule in alerts() if rule["alert"] == "MemoryHigh")
    told = int(re.findall(r"> (\d+) \* 1024 \* 1024", rule)[0])
    assert f'{{job=~"{"|".join(USERS)}"}}' in rule
    of_compose = [compose()["services"][name]["deploy"]["resources"]["limits"]["memory"] for name in USERS]
    of_pods = [
        of["resources"]["limits"]["memory"] for name, of in containers("production") if name.split("/")[0] in USERS
    ]
    units = {"M": 1, "Mi": 1, "Gi": 1024}
    for limit in (*of_compose, *of_pods):
        number, unit = re.fullmatch(r"(\d+)(\w+)", limit).groups()  # type: ignore[union-attr]
        assert told <= 0.9 * int(number) * units[unit]


def test_prometheus_asks_every_service_where_compose_has_it() -> None:
    jobs = {job["job_name"] for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]}
    assert jobs - {"nats", "node"} == set(SERVICES) - {"paper-broker"}
    assert {"nats-exporter", "node-exporter"} <= set(compose()["services"])
