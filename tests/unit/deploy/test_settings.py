from pathlib import Path

import pytest

from deploy.local.settings import ROOT, LocalSettings
from libs.service import CannotStart
from libs.service.settings import load


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREGAO_LOCAL_DIR", raising=False)


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = LocalSettings()
    assert settings.directory == ROOT / ".local"
    assert (settings.edge_port, settings.supabase_port, settings.nats_port) == (4001, 54321, 4222)


def test_no_two_parts_have_the_same_port() -> None:
    ports = LocalSettings().ports()
    assert len(set(ports.values())) == len(ports)


def test_every_port_is_named_by_the_variable_that_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, variable in enumerate(LocalSettings().ports()):
        monkeypatch.setenv(variable, str(9000 + number))
    assert sorted(LocalSettings().ports().values()) == list(range(9000, 9000 + len(LocalSettings().ports())))


def test_a_directory_may_be_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREGAO_LOCAL_DIR", str(tmp_path))
    assert LocalSettings().directory == tmp_path
    monkeypatch.setenv("PREGAO_LOCAL_DIR", "elsewhere/stack")
    assert LocalSettings().directory == ROOT / "elsewhere" / "stack"


@pytest.mark.parametrize("port", ["http", "-1", "65536", ""])
def test_what_is_no_port_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PREGAO_NATS_PORT", port)
    with pytest.raises(CannotStart, match=r"^PREGAO_NATS_PORT: [^\n]+$"):
        load(LocalSettings)
