"""How the routes of the CRM are declared and answered."""

from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from libs.bus import Bus
from libs.contracts.admin import Rows
from libs.contracts.rpc import Endpoint
from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.requests import Nothing
from services.socket_edge.responses import Success
from services.socket_edge.route import Access, Rate, Route

T = TypeVar("T")
Q = TypeVar("Q", bound=Struct)
B = TypeVar("B", bound=Struct)
Handlers = dict[Route[Any, Any], Handler]


class Listed(Success, Generic[T], frozen=True, kw_only=True, rename="camel"):
    data: tuple[T, ...]
    total: int
    limit: int
    offset: int


class Done(Success, Generic[T], frozen=True, kw_only=True, rename="camel"):
    message: str
    data: T


def read(path: str, summary: str, query: type[Q], answer: Any) -> Route[Q, Nothing]:
    return Route("GET", f"/api/crm/{path}", summary, query, Nothing, (answer,), Access.ADMIN)


def change(
    method: Literal["POST", "PUT", "PATCH", "DELETE"],
    path: str,
    summary: str,
    query: type[Q],
    body: type[B],
    answer: Any,
    rate: Rate = Rate.WRITE,
) -> Route[Q, B]:
    return Route(method, f"/api/crm/{path}", summary, query, body, (answer,), Access.ADMIN, rate)


def listed(bus: Bus, endpoint: Endpoint[Any, Rows[Any]]) -> Handler:
    """The answer of an endpoint that takes the query as it is."""

    async def handler(call: Call[Any, Any]) -> Listed[Any]:
        rows = await bus.call(endpoint, call.query)
        return Listed(data=rows.rows, total=rows.total, limit=call.query.limit, offset=call.query.offset)

    return handler
