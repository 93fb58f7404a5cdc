"""docs/scaling.md says what its script says; an autoscaler aims at what the page says."""

from deploy.scaling.__main__ import bursts, returns, table
from deploy.scaling.capacity import BOTS_PER_RUNTIME, SESSIONS_PER_GATEWAY, SOCKETS_PER_EDGE, Demand
from deploy.scaling.capacity import PARTITIONS as ASSUMED
from deploy.scaling.simulation import burst, reconnect
from deploy.settings_table import ROOT
from services.bot_runtime.partitions import PARTITIONS
from tests.unit.deploy.kubernetes.manifests import of_kind

PAGE = (ROOT / "docs" / "scaling.md").read_text()


def test_the_page_has_what_the_script_says() -> None:
    for part in (table(Demand()), bursts(Demand()), returns()):
        assert part in PAGE


def test_autoscalers_aim_at_what_a_process_carries() -> None:
    aims = {
        name: int(spec["spec"]["metrics"][0]["pods"]["target"]["averageValue"])
        for name, spec in of_kind("production", "HorizontalPodAutoscaler").items()
    }
    assert aims == {"edge": SOCKETS_PER_EDGE, "gateway": SESSIONS_PER_GATEWAY, "bots": BOTS_PER_RUNTIME}
    assert ASSUMED == PARTITIONS


def test_more_processes_help_until_the_stream_is_full() -> None:
    alone, shared = burst(1400, runtimes=1, gateways=1), burst(1400, runtimes=8, gateways=8)
    assert shared.accepted_p99 < alone.accepted_p99
    assert burst(20_000, runtimes=16, gateways=500).written_p99 > 2.0


def test_everybody_comes_back_to_an_edge_that_is_not_too_full() -> None:
    assert reconnect(SOCKETS_PER_EDGE).within < 20.0
    assert reconnect(3 * SOCKETS_PER_EDGE).tries > 2.0
