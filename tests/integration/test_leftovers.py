"""The watch over left-behind processes, shown on sessions of its own."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.settings import ROOT

TIDY = "def test_tidy(): pass\n"
UNTIDY = """\
import subprocess

def test_untidy():
    print("pid", subprocess.Popen(["sleep", "60"]).pid)
"""


def session(test: str, directory: Path) -> subprocess.CompletedProcess[str]:
    file = directory / "test_it.py"
    file.write_text(test)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TESTS_OF_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-p", "tests.leftovers", "-c", os.devnull, "--rootdir", directory, file],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_a_tidy_session_passes(tmp_path: Path) -> None:
    assert session(TIDY, tmp_path).returncode == pytest.ExitCode.OK


def test_a_session_that_leaves_a_process_fails_names_it_and_ends_it(tmp_path: Path) -> None:
    result = session(UNTIDY, tmp_path)
    pid = next(int(line.split()[-1]) for line in result.stdout.splitlines() if "pid " in line)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"{pid} sleep 60" in result.stdout
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
