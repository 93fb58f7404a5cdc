"""A server that stores nothing for ten seconds is left, if there is another one."""

import asyncio
from typing import cast

import pytest
from nats.aio.client import Client

from libs.bus.standstill import Standstill
from tests.unit.socket_edge.hand_clock import HandClock


class Connection:
    """As much of nats-py's client as is asked."""

    def __init__(self, servers: int) -> None:
        self.is_connected = True
        self.servers = [None] * servers
        self.connected_url = None
        self.left = 0

    async def force_reconnect(self) -> None:
        self.left += 1


async def waited(connection: Connection, *answers: bool, step: float = 5.0) -> int:
    """How often the server was left, when answers came so many seconds apart."""
    clock = HandClock()
    standstill = Standstill(cast("Client", connection), clock)
    for answer in answers:
        standstill.answered() if answer else standstill.unanswered()
        clock.advance(step)
    await asyncio.sleep(0)
    return connection.left


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        ((False, False), 0),
        ((False, False, False), 1),
        ((False, True, False, False), 0),
        ((False,) * 6, 2),  # and the next one, which is no better, as patiently
    ],
)
async def test_it_is_left_after_ten_seconds_without_an_answer(answers: tuple[bool, ...], left: int) -> None:
    assert await waited(Connection(3), *answers) == left


async def test_the_only_server_is_not_left() -> None:
    assert await waited(Connection(1), *(False,) * 9) == 0


async def test_a_connection_that_is_lost_looks_for_another_by_itself() -> None:
    connection = Connection(3)
    connection.is_connected = False
    assert await waited(connection, *(False,) * 9) == 0
