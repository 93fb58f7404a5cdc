import socket
from collections.abc import Iterator

import pytest

from deploy.local.ports import require_free
from libs.service import CannotStart
from tests.ports import free_port


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


def test_free_ports_pass() -> None:
    require_free({"PREGAO_EDGE_PORT": free_port()})


def test_a_busy_port_is_named_with_the_setting_that_changes_it(listener: socket.socket) -> None:
    busy = port_of(listener)
    with pytest.raises(CannotStart) as error:
        require_free({"PREGAO_EDGE_PORT": free_port(), "PREGAO_NATS_PORT": busy})
    assert str(error.value) == f"port {busy} is busy; PREGAO_NATS_PORT changes it"


def test_a_listener_on_every_address_counts() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(CannotStart, match="is busy"):  # noqa: S104
        require_free({"PREGAO_EDGE_PORT": port_of(server)})


def test_a_connection_that_lingers_does_not_count(listener: socket.socket) -> None:
    port = port_of(listener)
    with socket.create_connection(("127.0.0.1", port)) as client:
        accepted, _ = listener.accept()
        accepted.close()  # the side that closes first lingers
        client.recv(1)
    listener.close()
    require_free({"PREGAO_EDGE_PORT": port})


def test_one_port_cannot_serve_two() -> None:
    port = free_port()
    with pytest.raises(CannotStart, match="PREGAO_EDGE_PORT and PREGAO_NATS_PORT"):
        require_free({"PREGAO_EDGE_PORT": port, "PREGAO_NATS_PORT": port})
