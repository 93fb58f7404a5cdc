"""The image: not root, nothing of the newest, nothing that is not needed. `make image-test` builds and runs it."""

import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from deploy.services import HEALTH_PORT
from deploy.settings_table import ROOT

DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
HEALTHY = ROOT / "deploy" / "docker" / "healthy.py"


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word} +(.+)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def test_it_does_not_run_as_root() -> None:
    assert instructions("USER") == ["10001:10001"]
    assert DOCKERFILE.rindex("\nUSER") > DOCKERFILE.rindex("\nRUN")


def test_its_base_is_an_argument_with_a_version() -> None:
    assert re.fullmatch(r"BASE=debian:\d+\.\d+-slim", instructions("ARG")[0])
    assert instructions("FROM") == ["${BASE} AS python", "python AS packages", "python"]


def test_packages_are_those_that_are_pinned() -> None:
    assert "--require-hashes -r /build/runtime.txt" in DOCKERFILE
    assert "ADD " not in DOCKERFILE


def test_it_answers_where_health_is_asked() -> None:
    assert f"PREGAO_HEALTH_PORT={HEALTH_PORT}" in DOCKERFILE
    assert "deploy/docker/healthy.py" in instructions("HEALTHCHECK")[0]


def test_what_it_copies_is_there_and_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert copied == sent
    assert [source for source in copied if not (ROOT / source).exists()] == []


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_a_container_is_healthy_when_its_process_is_ready(status: int, code: int) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert healthy(server.server_address[1]) == code
        server.shutdown()


def test_nobody_who_answers_is_not_healthy() -> None:
    assert healthy(1) == 1


def healthy(port: int) -> int:
    told = {"PREGAO_HEALTH_PORT": str(port)}
    return subprocess.run([sys.executable, HEALTHY], env=told, check=False, capture_output=True, timeout=20).returncode
