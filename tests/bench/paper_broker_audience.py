"""Connections that follow the market and their positions: `python -m tests.bench.paper_broker_audience HOST PORT PATH`.

The first line of its input is JSON: `{"sessions": ["…"], "actives": [76, …]}`. There is a connection for each session,
which subscribes to the candles in SIZES and the quotes of one active, and to its user's positions and what they are
worth. Prints `ready` when all have; for every further line of input, how many events came so far to all together.
"""

import asyncio
import json
import sys
from functools import partial
from itertools import cycle
from typing import cast

import uvloop

from tests.bench.paper_broker_readers import frame, upgrade

SIZES = (5, 15, 60, 300)
PER_SECOND = 2 * (len(SIZES) + 1) + 2
"""Events to each connection: candles and quotes twice, the time and the positions' worth once."""

_EVENT = b'{"name":"'
"""How the JSON of an event begins, and of nothing else the broker sends but the answer to a login."""
_CONFIRMED = b'"success":true'
_POSITIONS = (("portfolio.position-changed", "3.0"), ("portfolio.positions-state", "1.0"))
_SUBSCRIPTIONS = len(SIZES) + 1 + len(_POSITIONS)


class Audience:
    def __init__(self, connections: int) -> None:
        self.events = 0
        self._missing = connections

    def subscribed(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            print("ready", flush=True)


class Member(asyncio.Protocol):
    def __init__(self, audience: Audience, path: str, ssid: str, active_id: int) -> None:
        self._audience = audience
        self._path = path
        self._ssid = ssid
        self._active_id = active_id
        self._unconfirmed = _SUBSCRIPTIONS
        self._rest = b""
        """The end of what was read, which may be the beginning of an event's."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        transport.write(upgrade(self._path))
        transport.write(frame({"name": "authenticate", "request_id": "1", "msg": {"ssid": self._ssid}}))
        for size in SIZES:
            transport.write(_subscribe("candle-generated", "1.0", active_id=self._active_id, size=size))
        transport.write(_subscribe("quote-generated", "2.0", active_id=self._active_id))
        for name, version in _POSITIONS:
            transport.write(_subscribe(name, version))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        self._audience.events += data.count(_EVENT)
        self._rest = data[1 - len(_EVENT) :]
        if self._unconfirmed:
            self._confirm(data.count(_CONFIRMED))

    def _confirm(self, count: int) -> None:
        self._unconfirmed -= count
        if not self._unconfirmed:
            self._audience.subscribed()


def _subscribe(name: str, version: str, **filters: int) -> bytes:
    msg = {"name": name, "version": version, "params": {"routingFilters": filters}}
    return frame({"name": "subscribeMessage", "request_id": name, "msg": msg})


async def main(host: str, port: int, path: str) -> None:
    given = json.loads(sys.stdin.readline())
    audience = Audience(len(given["sessions"]))
    for ssid, active_id in zip(given["sessions"], cycle(given["actives"]), strict=False):
        connect = partial(Member, audience, path, ssid, active_id)
        await asyncio.get_running_loop().create_connection(connect, host, port)
    while await asyncio.to_thread(sys.stdin.readline):
        print(audience.events, flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
