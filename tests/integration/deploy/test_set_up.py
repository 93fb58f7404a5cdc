"""`make` on machines that lack something."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.settings import ROOT

VENV_SH = ROOT / "deploy" / "local" / "venv.sh"


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def set_up(python: str, directory: Path, path: str) -> subprocess.CompletedProcess[str]:
    """On a machine where only the programs in `path` can be found."""
    command: list[str | Path] = ["/bin/sh", VENV_SH, python, directory / "venv"]
    return subprocess.run(command, check=False, env={"PATH": path}, capture_output=True, text=True, timeout=60)


def test_an_environment_is_made(tmp_path: Path) -> None:
    result = set_up(sys.executable, tmp_path, "/nonexistent")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "venv" / "bin" / "python").exists()


def test_without_a_recent_python_one_line_says_so(tmp_path: Path) -> None:
    old = script(tmp_path / "python3", "exit 1")
    result = set_up(str(old), tmp_path, "/nonexistent")
    assert result.returncode == 1
    assert result.stderr == f"{old} is not Python 3.11 or newer: install one, or set PYTHON to its path\n"


def test_a_newer_python_beside_an_old_one_is_found(tmp_path: Path) -> None:
    old = script(tmp_path / "python3", "exit 1")
    script(tmp_path / "python3.12", f'exec {sys.executable} "$@"')
    result = set_up(str(old), tmp_path, str(tmp_path))
    assert result.returncode == 0, result.stderr


def test_a_python_without_venv_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    bare = script(tmp_path / "python3", 'case "$2" in *ensurepip*) exit 1 ;; *) exit 0 ;; esac')
    result = set_up(str(bare), tmp_path, "/nonexistent")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "python3-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("target", ["setup", "run", "watch", "test", "lint", "bench", "lock", "clean"])
def test_every_target_of_the_documentation_exists(target: str) -> None:
    result = subprocess.run(["make", "-n", target], check=False, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert result.returncode == 0, result.stderr


def test_clean_keeps_what_it_did_not_make(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "Makefile").write_text((ROOT / "Makefile").read_text())
    for folder in ("libs", "services", "deploy", "tests", "stack/logs"):
        (repository / folder).mkdir(parents=True)
    (repository / "stack" / "secrets.json").touch()
    (repository / "stack" / "thesis.txt").touch()
    clean(repository, "stack")
    assert [file.name for file in (repository / "stack").iterdir()] == ["thesis.txt"]
    (repository / "stack" / "thesis.txt").unlink()
    clean(repository, "stack")
    assert not (repository / "stack").exists()


def test_clean_touches_nothing_of_a_stack_that_runs(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "stack.json").touch()
    (tmp_path / "stack" / "secrets.json").touch()
    assert clean(tmp_path, "stack").returncode != 0
    assert (tmp_path / "stack" / "secrets.json").exists()


def clean(repository: Path, directory: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "clean", f"PREGAO_LOCAL_DIR={directory}"]
    return subprocess.run(command, check=False, cwd=repository, capture_output=True, text=True, timeout=20)
