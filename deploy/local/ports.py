"""Whether the ports of the stack are free."""

import errno
import socket
from collections.abc import Mapping

from libs.service import CannotStart

HOST = "127.0.0.1"


def require_free(ports: Mapping[str, int]) -> None:
    """`ports` by the setting that changes them. Raises CannotStart that names the first busy port and its setting."""
    taken: dict[int, str] = {}
    for setting, port in ports.items():
        if port in taken:
            raise CannotStart(f"port {port} is asked for twice: by {taken[port]} and {setting}")
        taken[port] = setting
        _require_free(port, setting)


def _require_free(port: int, setting: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that lingers is not a listener
        try:
            probe.bind((HOST, port))
        except OSError as error:
            why = "is busy" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise CannotStart(f"port {port} {why}; {setting} changes it") from error
