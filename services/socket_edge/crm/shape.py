"""How the routes of the CRM are declared and answered."""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from libs.bus import Bus
from libs.contracts.admin import Rows
from libs.contracts.crm.common import OfBy
from libs.contracts.rpc import Endpoint
from services.socket_edge.admin_answers import Data
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
    next: str = ""
    """The `cursor` of the next page, of lists that take one; empty on the last."""


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
        return list_of(await bus.call(endpoint, call.query), call.query)

    return handler


def picked(bus: Bus, endpoint: Endpoint[Any, Rows[Any]]) -> Handler:
    """As `listed`, of one that takes the body: what it looks for does not fit a query."""

    async def handler(call: Call[Any, Any]) -> Listed[Any]:
        return list_of(await bus.call(endpoint, call.body), call.body)

    return handler


def list_of(rows: Rows[Any], query: Any = None) -> Listed[Any]:
    """Without a query, or a limit in it: the list is whole."""
    limit, offset = getattr(query, "limit", len(rows.rows)), getattr(query, "offset", 0)
    return Listed(data=rows.rows, total=rows.total, limit=limit, offset=offset, next=rows.next)


def told(bus: Bus, endpoint: Endpoint[Any, Any]) -> Handler:
    """As `listed`, of one thing."""

    async def handler(call: Call[Any, Any]) -> Data[Any]:
        return Data(data=await bus.call(endpoint, call.query))

    return handler


def done(bus: Bus, endpoint: Endpoint[Any, Any], request: Callable[[Call[Any, Any]], Struct], message: str) -> Handler:
    """`request`: what the service is asked, of what the client said."""

    async def handler(call: Call[Any, Any]) -> Done[Any]:
        return Done(message=message, data=await bus.call(endpoint, request(call)))

    return handler


def of_by(call: Call[Any, Any]) -> OfBy:
    """That an administrator asks it of the thing in the path."""
    return OfBy(by=call.user, id=call.query.id)
