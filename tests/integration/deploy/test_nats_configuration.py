"""The rendered configuration, as the real nats-server reads it."""

import subprocess
from pathlib import Path

import pytest

from deploy.local.nats import configuration, server_path
from deploy.local.secrets import generate


def check(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    path = directory / "nats.conf"
    path.write_text(text)
    return subprocess.run([server_path(), "-t", "-c", path], check=False, capture_output=True, text=True, timeout=10)


def test_the_server_accepts_it(tmp_path: Path) -> None:
    store = tmp_path / 'a "strange" directory'
    text = configuration(port=4222, monitor_port=8222, store=store, passwords=generate().nats)
    result = check(text, tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("wrong", ["jetstream {", "authorization { users = 3 }"])
def test_the_check_would_notice_a_mistake(tmp_path: Path, wrong: str) -> None:
    assert check(wrong, tmp_path).returncode != 0


def test_nobody_is_anonymous() -> None:
    passwords = generate().nats
    text = configuration(port=4222, monitor_port=8222, store=Path("/data"), passwords=passwords)
    assert "no_auth_user" not in text
    assert all(password in text for password in passwords.values())
    assert text.count('"permissions"') == len(passwords)
