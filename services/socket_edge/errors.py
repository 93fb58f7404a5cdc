"""What a client is told when its request fails: a status, a stable code and words, never a trace."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from libs.contracts.codec import Message
from libs.contracts.rpc import ErrorCode, RpcError


class ErrorBody(Message, frozen=True, kw_only=True, rename="camel"):
    """api-contract §2.3; `error` is a string because the clients print it."""

    success: Literal[False] = False
    error: str
    code: str
    message: str
    request_id: str
    field: str | msgspec.UnsetType = msgspec.UNSET
    """Path of the field that is wrong, e.g. `config.amount`."""
    pid: int | msgspec.UnsetType = msgspec.UNSET
    """Number of the run that is in the way."""


class ApiError(Exception):
    """A request that is refused or failed."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str = "",
        pid: int | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.pid = pid
        self.headers = headers

    def body(self, request_id: str) -> ErrorBody:
        return ErrorBody(
            error=self.message,
            code=self.code,
            message=self.message,
            request_id=request_id,
            field=self.field or msgspec.UNSET,
            pid=msgspec.UNSET if self.pid is None else self.pid,
        )


_FIELD = re.compile(r"`([A-Za-z0-9_.]+)`")
"""Services name the field that is wrong at the beginning of what they say."""
_RETRY: Mapping[str, str] = {"Retry-After": "2"}
_UNAVAILABLE = "This service is not available right now. Please try again shortly."
_NOT_CONNECTED = "Not connected to Avalon. Call /api/bot/connect first."

_OF_RPC: dict[ErrorCode, tuple[int, str]] = {
    ErrorCode.INVALID_REQUEST: (400, ""),
    ErrorCode.ASSET_NOT_FOUND: (404, "Asset not found"),
    ErrorCode.NOT_FOUND: (404, ""),
    ErrorCode.NOT_CONNECTED: (400, _NOT_CONNECTED),
    ErrorCode.ALREADY_RUNNING: (400, "Bot is already running"),
    ErrorCode.NOT_RUNNING: (400, "Bot is not running"),
    ErrorCode.NOT_PAUSED: (400, "Bot is not paused"),
    ErrorCode.SUSPENDED: (403, "This account is suspended"),
    ErrorCode.MAINTENANCE: (503, ""),
    ErrorCode.LIMIT_REACHED: (409, ""),
    ErrorCode.CONFLICT: (409, ""),
    ErrorCode.NO_BALANCE: (400, ""),
    ErrorCode.NOT_SELLABLE: (422, ""),
    ErrorCode.NOT_OPEN: (409, ""),
    ErrorCode.BROKER_REFUSED: (422, ""),
    ErrorCode.BROKER_UNREACHABLE: (502, "The broker cannot be reached. Please try again shortly."),
    ErrorCode.UNAVAILABLE: (503, _UNAVAILABLE),
    ErrorCode.TIMEOUT: (504, "No answer in time: it is not known whether this was done."),
    ErrorCode.INTERNAL: (500, "Internal server error"),
}
"""Status and words of each code; empty words are the service's own."""


def of_rpc(error: RpcError) -> ApiError:
    status, words = _OF_RPC[error.code]
    named = _FIELD.match(error.message) if error.code is ErrorCode.INVALID_REQUEST else None
    return ApiError(
        status,
        error.code,
        words or error.message,
        field=named[1] if named is not None else "",
        headers=_RETRY if status == 503 else {},
    )


def invalid(message: str, field: str = "") -> ApiError:
    return ApiError(400, ErrorCode.INVALID_REQUEST, message, field=field)


def unauthorized(message: str) -> ApiError:
    return ApiError(401, "UNAUTHORIZED", message, headers={"WWW-Authenticate": "Bearer"})


def forbidden(message: str) -> ApiError:
    return ApiError(403, "FORBIDDEN", message)


def suspended() -> ApiError:
    return of_rpc(RpcError(ErrorCode.SUSPENDED, ""))


def not_connected() -> ApiError:
    return ApiError(400, ErrorCode.NOT_CONNECTED, _NOT_CONNECTED)


def asset_not_found(text: str, field: str = "asset") -> ApiError:
    return ApiError(404, ErrorCode.ASSET_NOT_FOUND, f"Asset not found: {text[:80]}", field=field)


def unavailable() -> ApiError:
    return ApiError(503, ErrorCode.UNAVAILABLE, _UNAVAILABLE, headers=_RETRY)


def internal() -> ApiError:
    return ApiError(500, ErrorCode.INTERNAL, "Internal server error")
