"""The control API: faults on demand and a look into the books, for tests on the same machine.

POST   /control/faults            arm or apply a fault (services.paper_broker.faults)
GET    /control/faults?user=N     what is armed, one entry for each time; actives that are suspended and frozen
DELETE /control/faults?user=N     forget what is armed, let stalled connections go on
DELETE /control/faults?active=N   resume and thaw an active; without a parameter, all of them
GET    /control/positions?user=N  all positions, open and closed, oldest first
GET    /control/balances?user=N   balances, each with the sum of its ledger
GET    /control/ledger?user=N     every change of each balance, oldest first

Chat messages are said in chat_control.py.
"""

import asyncio
from collections.abc import Callable, Iterable

from aiohttp import web

from services.paper_broker import wire
from services.paper_broker.broker import Broker
from services.paper_broker.catalogue import Active
from services.paper_broker.errors import Refused
from services.paper_broker.faults import (
    DropConnections,
    ExpireSession,
    Fault,
    FreezeMarket,
    StallConnections,
    SuspendActive,
)
from services.paper_broker.http_api import Tokens, guarded
from services.paper_broker.hub import Connection
from services.paper_broker.portfolio import record


class Control:
    def __init__(self, broker: Broker, tokens: Tokens) -> None:
        self._broker = broker
        self._tokens = tokens
        self._suspended: set[int] = set()
        """Actives suspended here; the file of actives may suspend others."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/control/faults", guarded(self._tokens, self.add_fault)),
            web.get("/control/faults", guarded(self._tokens, self.faults)),
            web.delete("/control/faults", guarded(self._tokens, self.forget_faults)),
            web.get("/control/positions", guarded(self._tokens, self.positions)),
            web.get("/control/balances", guarded(self._tokens, self.balances)),
            web.get("/control/ledger", guarded(self._tokens, self.ledger)),
        ]

    async def add_fault(self, request: web.Request) -> web.Response:
        return _answer(self.inject(_decoded(await request.read())))

    def inject(self, fault: Fault) -> dict[str, object]:
        """What it did; raises Refused."""
        match fault:
            case DropConnections(seconds=0):
                return {"dropped": self._broker.hub.drop(fault.user)}
            case DropConnections():
                self._broker.faults.arm(fault)
                self._later(fault.seconds, lambda: self._drop_if_due(fault))
                return {"armed": len(self._broker.faults.armed(fault.user))}
            case StallConnections():
                return {"stalled": self._stall(fault)}
            case ExpireSession():
                self._broker.sessions.expire(fault.user)
                return {"dropped": self._broker.hub.drop(fault.user)}
            case SuspendActive():
                if self._broker.catalogue.suspend(self._active(fault.active).id, True):
                    self._suspended.add(fault.active)
                return self._market()
            case FreezeMarket():
                for active in self._actives(fault.active):
                    self._broker.market.freeze(active, self._broker.now())
                return self._market()
            case _:
                self._broker.faults.arm(fault)
                return {"armed": len(self._broker.faults.armed(fault.user))}

    async def faults(self, request: web.Request) -> web.Response:
        armed = self._broker.faults.armed(_number(request, "user"))
        return _answer({"armed": armed} | self._market())

    async def forget_faults(self, request: web.Request) -> web.Response:
        if "active" in request.query:
            self.restore(_number(request, "active"))
        elif "user" in request.query:
            user = _number(request, "user")
            self._broker.faults.disarm(user)
            _resume(self._broker.hub.of(user))
        else:
            self.restore()
        return _answer(self._market())

    async def ledger(self, request: web.Request) -> web.Response:
        balances = self._broker.accounts.balances(_number(request, "user"))
        return _answer([entry._asdict() for balance in balances for entry in self._broker.ledger.entries(balance.id)])

    async def positions(self, request: web.Request) -> web.Response:
        return _answer([record(position) for position in self._broker.positions.all(_number(request, "user"))])

    async def balances(self, request: web.Request) -> web.Response:
        shown = [
            {
                "id": balance.id,
                "type": balance.type,
                "currency": balance.currency,
                "is_marginal": balance.is_marginal,
                "amount": balance.amount,
                "ledger": self._broker.ledger.total(balance.id),
            }
            for balance in self._broker.accounts.balances(_number(request, "user"))
        ]
        return _answer(shown)

    def _drop_if_due(self, fault: DropConnections) -> None:
        if self._broker.faults.due(fault):
            self._broker.hub.drop(fault.user)

    def _stall(self, fault: StallConnections) -> int:
        stalled = self._broker.hub.of(fault.user)
        for connection in stalled:
            connection.stall()
        self._later(fault.seconds, lambda: _resume(stalled))
        return len(stalled)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self._broker.waiting(seconds), act)

    def _active(self, active_id: int) -> Active:
        active = self._broker.catalogue.get(active_id)
        if active is None:
            raise Refused(400, {"active": "unknown active"})
        return active

    def _actives(self, active_id: int | None) -> list[Active]:
        return list(self._broker.catalogue) if active_id is None else [self._active(active_id)]

    def restore(self, active_id: int | None = None) -> None:
        """Resume and thaw one active, or all; raises Refused."""
        for active in self._actives(active_id):
            if active.id in self._suspended:
                self._suspended.remove(active.id)
                self._broker.catalogue.suspend(active.id, False)
            self._broker.market.thaw(active, self._broker.now())

    def _market(self) -> dict[str, object]:
        """Ids of the actives with which something is wrong."""
        frozen = [active.id for active in self._broker.catalogue if self._broker.market.frozen(active)]
        return {"suspended": sorted(self._suspended), "frozen": frozen}


def _decoded(data: bytes) -> Fault:
    return wire.decode(data, Fault)  # type: ignore[arg-type]  # msgspec takes unions, which `type[T]` cannot say


def _resume(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.resume()


def _number(request: web.Request, name: str) -> int:
    number = request.query.get(name, "")
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise Refused(400, {name: "must be a number"})
    return int(number)


def _answer(body: object) -> web.Response:
    return web.Response(body=wire.encode(body), content_type="application/json")
