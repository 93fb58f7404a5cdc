"""The files of deploy/nats, as the real nats-server reads them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.compose.environment import environment
from deploy.local.nats import server_path
from deploy.nats.users import FILE
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


def test_a_password_that_is_missing_is_told(tmp_path: Path) -> None:
    command = [str(server_path()), "-t", "-c", str(FILE.parent / "server.conf")]
    result = subprocess.run(command, env={}, check=False, capture_output=True, text=True, timeout=20)
    assert result.returncode != 0
    assert "NATS_SERVER_NAME" in result.stderr
