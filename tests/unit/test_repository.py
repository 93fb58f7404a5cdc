"""Rules about the files of the repository themselves."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE = {".git", ".venv", ".local", "node_modules", "__pycache__"}
CACHES = re.compile(r"\.\w+_cache|\.hypothesis")

REGISTRIES = [
    ".".join(host) for host in (("pypi", "org"), ("python" + "hosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
]
"""Put together here, so that this file may be searched as well."""

PINNED = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z,-]+\])?==[^ ]+( ; .+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
SECRETS = re.compile(r"eyJ[\w-]{20,}\.eyJ[\w-]{20,}|sb_secret_[\w-]{22}_[\w-]{8}|-----BEGIN [A-Z ]*PRIVATE KEY")


def files(folder: Path = ROOT) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name in MADE or CACHES.fullmatch(entry.name) or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from files(entry)
        else:
            yield entry


def texts() -> Iterator[tuple[str, str]]:
    for file in files():
        yield str(file.relative_to(ROOT)), file.read_text(errors="replace")


def test_no_file_names_a_package_registry() -> None:
    """Which registry is used is decided by the machine's own pip and npm settings."""
    assert [name for name, text in texts() if any(host in text for host in REGISTRIES)] == []


def test_no_file_holds_a_secret() -> None:
    found = {name for name, text in texts() if SECRETS.search(text) and not name.startswith("tests/")}
    assert found == {"libs/service/secrets.py"}  # the public defaults that it refuses


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_python_packages_are_pinned_and_hashed(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    stray = [line for line in lines if not (PINNED.match(line) or HASH.match(line) or line.startswith("    #"))]
    assert stray == []
    assert sum(1 for line in lines if PINNED.match(line)) > 20


def test_everything_that_runs_is_pinned_alike_for_development() -> None:
    runtime, dev = (
        {line for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines() if PINNED.match(line)}
        for name in ("runtime", "dev")
    )
    assert runtime <= dev


def test_npm_packages_are_hashed_and_have_no_address() -> None:
    locks = [file for file in files() if file.name == "package-lock.json"]
    assert locks
    for lock in locks:
        packages = {name: package for name, package in json.loads(lock.read_text())["packages"].items() if name}
        assert [name for name, package in packages.items() if "resolved" in package] == []
        assert [name for name, package in packages.items() if "integrity" not in package] == []


def test_files_are_small_enough_to_be_read() -> None:
    sizes = {name: text.count("\n") for name, text in texts() if name.endswith(".py")}
    assert [name for name, lines in sizes.items() if lines > 400] == []
