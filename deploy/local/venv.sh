#!/bin/sh
# Make the virtual environment: venv.sh PYTHON DIRECTORY. One line says what is missing.
set -eu
python=$1 directory=$2

fail() {
  echo "$1" >&2
  exit 1
}

recent() {
  command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

for candidate in "$python" python3.14 python3.13 python3.12 python3.11; do
  if recent "$candidate"; then
    "$candidate" -c 'import venv, ensurepip' 2>/dev/null ||
      fail "$candidate cannot make virtual environments: install its venv package (on Debian: python3-venv), or set PYTHON to another Python"
    echo "Making $directory with $("$candidate" --version)"
    "$candidate" -m venv "$directory" || fail "$candidate -m venv $directory failed; VENV changes the directory"
    exit 0
  fi
done
fail "$python is not Python 3.11 or newer: install one, or set PYTHON to its path"
