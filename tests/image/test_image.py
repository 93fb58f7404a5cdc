"""The image is small, what it is made of is known, and in it every service does its work: not root, without writing."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from deploy.docker.sbom import bill
from deploy.local.parts import IMAGE_USER
from deploy.settings_table import ROOT
from tests.e2e.stack import Stack
from tests.e2e.user import User

pytestmark = pytest.mark.timeout(300)

ENTER = ROOT / "deploy" / "docker" / "enter.sh"
LARGEST = 250_000_000
"""Bytes."""
SERVICES = ("gateway", "bots", "analytics", "crm", "edge", "paper-broker")
BOT = {"mode": "auto", "strategy": "aggressive", "amount": 25, "maxTimeframe": 10, "accountType": "demo"}


def run(root: Path, data: Path, *command: str, **told: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ENTER, root, data, *command], env=os.environ | told, check=False, capture_output=True, text=True, timeout=30
    )


def test_it_is_small(root: Path) -> None:
    size = sum(
        (Path(folder) / file).lstat().st_size for folder, _, files in os.walk(root) for file in files
    )  # fmt: skip
    print(f"{size / 1e6:.0f} MB")
    assert size < LARGEST


def test_what_it_is_made_of_is_what_was_pinned(root: Path) -> None:
    text = bill(root, "0.1.0")
    made_of = {each["purl"] for each in json.loads(text)["components"]}
    pins = re.findall(
        r"^([\w.-]+)(?:\[.*\])?==(\S+)( ; .*)? \\$", (ROOT / "requirements" / "runtime.txt").read_text(), re.M
    )
    everywhere = {f"pkg:pypi/{name}@{version}" for name, version, condition in pins if not condition}
    perhaps = {f"pkg:pypi/{name}@{version}" for name, version, condition in pins if condition}
    python = {each for each in made_of if each.startswith("pkg:pypi/")}
    assert everywhere <= python <= everywhere | perhaps
    assert any(each.startswith("pkg:deb/debian/python3.11@") for each in made_of)


def test_nothing_can_be_written_but_what_is_meant_to(root: Path, tmp_path: Path) -> None:
    os.chown(tmp_path, IMAGE_USER, IMAGE_USER)
    tries = (
        "for each in / /app /etc /opt/pregao /var /tmp /data; do touch $each/x 2>/dev/null && echo $each; done; id -u"
    )
    assert run(root, tmp_path, "sh", "-c", tries).stdout.split() == ["/tmp", "/data", str(IMAGE_USER)]  # noqa: S108


def test_it_has_no_program_to_become_somebody_else(root: Path, tmp_path: Path) -> None:
    found = run(root, tmp_path, "grep", "-E", "NoNewPrivs|CapEff|CapBnd", "/proc/self/status").stdout.split()
    assert found == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]


def test_the_migration_says_what_it_needs(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path, "python3", "-m", "deploy.migrate")
    assert (done.returncode, done.stderr.strip()) == (1, "PREGAO_DATABASE_URL: Field required")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_in_it_as_nobody(service: str, stack: Stack, root: Path, tmp_path: Path) -> None:
    process = Path("/proc") / str(stack.facts.pids[service])
    [uids] = re.findall(r"^Uid:\t(.*)$", (process / "status").read_text(), re.MULTILINE)
    assert set(uids.split()) == {str(IMAGE_USER)}
    assert (process / "root").stat().st_ino == root.stat().st_ino
    mounted = (process / "mountinfo").read_text()
    assert re.search(r" / ro[, ]", mounted.splitlines()[0]) or re.search(rf" {re.escape(str(root))} / ro", mounted)


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_healthy_as_docker_asks(service: str, stack: Stack, root: Path, tmp_path: Path) -> None:
    port = re.findall(r":(\d+)/", stack.facts.health[service])[0]
    done = run(root, tmp_path, "python3", "deploy/docker/healthy.py", PREGAO_HEALTH_PORT=port)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_a_user_trades_in_it(user: User) -> None:
    assert (await user.post("/api/bot/connect")).status == 200
    async with user.socket() as socket:
        answer = await user.post("/api/bot/start-runtime", {"userId": user.id, "config": BOT})
        assert answer.status == 200, answer
        closed = await socket.wait("position:closed")
    [row] = await user.rows("trade_history", id=f"eq.{closed['tradeId']}")
    assert (row["status"], row["resultado"]) == ("closed", closed["resultado"])
    assert (await user.post("/api/bot/stop-runtime")).status == 200
