"""Ports for the servers of tests.

Below those that the system gives to outgoing connections (from 32768 on under Linux, higher elsewhere): otherwise a
client of some other test may have taken a port by the time its server listens, also while a server is being restarted.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

_FIRST, _LAST = 10_000, 32_000
_NEXT = Path(tempfile.gettempdir()) / f"pregao-tests-{os.getuid()}.port"
"""Shared by every process that runs tests, so that no two are given the same port at the same time."""


def free_port() -> int:
    """One that nothing listens on, and that nobody is given again until all others were."""
    with _NEXT.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or _FIRST)
        while not _FIRST <= port <= _LAST or not _free(port):
            port = port + 1 if _FIRST <= port < _LAST else _FIRST
        file.truncate(0)
        file.write(str(port + 1))
    return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
