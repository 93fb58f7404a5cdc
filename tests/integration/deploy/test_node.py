"""npm packages, installed from a lock file that needs no registry."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.node import install, node_path
from deploy.local.settings import ROOT
from libs.service import CannotStart

GREETING = "export const greeting = 'hello';\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package that depends on one beside it."""
    (tmp_path / "greet").mkdir()
    (tmp_path / "greet" / "index.js").write_text(GREETING)
    (tmp_path / "greet" / "package.json").write_text(json.dumps({"name": "greet", "version": "1.0.0"}))
    folder = tmp_path / "app"
    folder.mkdir()
    package = {"name": "app", "dependencies": {"greet": "file:../greet"}}
    (folder / "package.json").write_text(json.dumps(package))
    packages = {
        "": package,
        "../greet": {"version": "1.0.0"},
        "node_modules/greet": {"resolved": "../greet", "link": True},
    }
    lock = {"name": "app", "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


def test_node_is_the_one_of_the_environment() -> None:
    said = subprocess.run([node_path(), "--version"], check=True, capture_output=True, text=True, timeout=20).stdout
    assert said.startswith("v2")
    assert node_path().is_relative_to(sys.prefix)


def test_packages_are_installed_once_per_lock_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(folder)
    assert (folder / "node_modules" / "greet" / "index.js").read_text() == GREETING
    assert "Installing" in capsys.readouterr().out
    install(folder)
    assert capsys.readouterr().out == ""
    with (folder / "package-lock.json").open("a") as lock:
        lock.write("\n")
    install(folder)
    assert "Installing" in capsys.readouterr().out


def test_what_cannot_be_installed_is_one_line_and_is_tried_again(folder: Path) -> None:
    lock = folder / "package-lock.json"
    kept = lock.read_text()
    lock.write_text("{}")
    for _ in range(2):
        with pytest.raises(CannotStart, match=r"^npm cannot install [^\n]*app: [^\n]+$"):
            install(folder)
    lock.write_text(kept)
    install(folder)


def test_two_processes_install_it_once(folder: Path) -> None:
    code = f"from pathlib import Path; from deploy.local.node import install; install(Path({str(folder)!r}))"
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=50)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(bool(text) for text in said) == [False, True]
