"""Calls from outside that begin workflows: for anybody who can sign; the CRM alone knows how. The signature is of the
very bytes, so that they are handed on as they came."""

from dataclasses import dataclass
from uuid import UUID

import msgspec
from aiohttp import web

from libs.bus import Bus
from libs.contracts.crm import workflow_runs as rpc
from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge import wire
from services.socket_edge.errors import ApiError, invalid, of_rpc
from services.socket_edge.limits import Limits
from services.socket_edge.plain import Handler, Plain, signed
from services.socket_edge.route import Rate
from services.socket_edge.wire import JSON

_MOST = 64 * 1024
"""Bytes of a body."""

CALLED = signed(
    "/api/crm/hooks/{id}", "Begin a workflow, with its secret",
    {"type": "object"},
    {"type": "object", "properties": {"success": {"const": True}, "began": {"type": "boolean"}}},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hooks:
    bus: Bus
    limits: Limits

    def handlers(self) -> dict[Plain, Handler]:
        return {CALLED: self._called}

    async def _called(self, request: web.Request) -> web.Response:
        await self.limits.of_stranger(Rate.WRITE, self.limits.address(request))
        body = await request.content.read(_MOST + 1)
        if len(body) > _MOST or not request.content.at_eof():
            raise ApiError(413, "PAYLOAD_TOO_LARGE", f"More than {_MOST} bytes")
        try:
            hooked = await self.bus.call(rpc.HOOK, _call(request, body))
        except RpcError as error:
            raise of_rpc(error) from None
        return web.Response(body=wire.encode({"success": True, "began": hooked.began}), content_type=JSON)


def _call(request: web.Request, body: bytes) -> rpc.HookCall:
    """Raises ApiError: 404 where there cannot be such a workflow, 400 for headers that are none."""
    try:
        workflow = UUID(request.match_info["id"])
        text = body.decode()
    except UnicodeDecodeError:
        raise invalid("The body is not UTF-8") from None
    except ValueError:
        raise ApiError(404, ErrorCode.NOT_FOUND, "There is no such workflow") from None
    given = {
        "id": workflow,
        "event_id": request.headers.get("webhook-id", ""),
        "timestamp": request.headers.get("webhook-timestamp", ""),
        "signature": request.headers.get("webhook-signature", ""),
        "body": text,
    }
    try:
        return msgspec.convert(given, rpc.HookCall)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
