"""The files of deploy/nats, as the real nats-server reads them."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from deploy.compose.environment import environment
from deploy.local.nats import server_path
from deploy.nats.users import FILE
from tests.ports import free_port
from tests.unit.deploy.compose_file import NOW
from tests.unit.deploy.compose_file import environment as of_container


@pytest.mark.parametrize(("part", "file"), [("nats", "server.conf"), ("nats-2", "cluster.conf")])
def test_the_server_takes_them_with_the_environment_of_compose(part: str, file: str, tmp_path: Path) -> None:
    for each in FILE.parent.glob("*.conf"):
        shutil.copy(each, tmp_path)
    server = tmp_path / "server.conf"
    server.write_text(server.read_text().replace("store_dir: /data", f'store_dir: "{tmp_path}/data"'))
    told = os.environ | of_container(part, environment(NOW))
    command = [str(server_path()), "-t", "-c", str(tmp_path / file)]
    result = subprocess.run(command, env=told, check=False, capture_output=True, text=True, timeout=20)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("part", "always", "seconds"), [("nats", True, 120), ("nats-2", None, 120)])
def test_alone_it_confirms_only_what_is_on_the_disk(
    part: str, always: bool | None, seconds: int, tmp_path: Path
) -> None:
    for each in FILE.parent.glob("*.conf"):
        shutil.copy(each, tmp_path)
    monitor, server = free_port(), tmp_path / "server.conf"
    here = {"store_dir: /data": f'store_dir: "{tmp_path}/data"', "0.0.0.0:8222": f"127.0.0.1:{monitor}"}
    text = server.read_text().replace("0.0.0.0:4222", f"127.0.0.1:{free_port()}")
    for said, changed in here.items():
        text = text.replace(said, changed)
    server.write_text(text)
    told = os.environ | of_container(part, environment(NOW))
    with subprocess.Popen([str(server_path()), "-c", str(server)], env=told, stderr=subprocess.DEVNULL) as process:
        configured = varz(monitor)["jetstream"]["config"]
        process.terminate()
    assert (configured.get("sync_always"), configured["sync_interval"]) == (always, seconds * 10**9)


def varz(port: int) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/varz", timeout=1) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_password_that_is_missing_is_told(tmp_path: Path) -> None:
    command = [str(server_path()), "-t", "-c", str(FILE.parent / "server.conf")]
    result = subprocess.run(command, env={}, check=False, capture_output=True, text=True, timeout=20)
    assert result.returncode != 0
    assert "NATS_SERVER_NAME" in result.stderr
