"""The control API: faults on demand and a look into the books, for tests on the same machine.

POST   /control/faults            arm or apply a fault (services.paper_broker.faults)
DELETE /control/faults?user=N     forget what is armed
GET    /control/positions?user=N  all positions, open and closed, oldest first
GET    /control/balances?user=N   balances, each with the sum of its ledger

Chat messages are said in chat_control.py.
"""

from aiohttp import web

from services.paper_broker import wire
from services.paper_broker.broker import Broker
from services.paper_broker.errors import Refused
from services.paper_broker.faults import DropConnections, ExpireSession, Fault
from services.paper_broker.http_api import Tokens, guarded
from services.paper_broker.portfolio import record


class Control:
    def __init__(self, broker: Broker, tokens: Tokens) -> None:
        self._broker = broker
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/control/faults", guarded(self._tokens, self.add_fault)),
            web.delete("/control/faults", guarded(self._tokens, self.forget_faults)),
            web.get("/control/positions", guarded(self._tokens, self.positions)),
            web.get("/control/balances", guarded(self._tokens, self.balances)),
        ]

    async def add_fault(self, request: web.Request) -> web.Response:
        fault = _decoded(await request.read())
        match fault:
            case DropConnections():
                return _answer({"dropped": self._broker.hub.drop(fault.user)})
            case ExpireSession():
                self._broker.sessions.expire(fault.user)
                return _answer({"dropped": self._broker.hub.drop(fault.user)})
            case _:
                self._broker.faults.arm(fault)
                return _answer({"armed": self._broker.faults.armed(fault.user)})

    async def forget_faults(self, request: web.Request) -> web.Response:
        self._broker.faults.disarm(_user(request))
        return _answer({"armed": 0})

    async def positions(self, request: web.Request) -> web.Response:
        return _answer([record(position) for position in self._broker.positions.all(_user(request))])

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
            for balance in self._broker.accounts.balances(_user(request))
        ]
        return _answer(shown)


def _decoded(data: bytes) -> Fault:
    return wire.decode(data, Fault)  # type: ignore[arg-type]  # msgspec takes unions, which `type[T]` cannot say


def _user(request: web.Request) -> int:
    user = request.query.get("user", "")
    if not user.isdecimal():
        raise Refused(400, {"user": "must be a number"})
    return int(user)


def _answer(body: object) -> web.Response:
    return web.Response(body=wire.encode(body), content_type="application/json")
