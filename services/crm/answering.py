"""What all answers of the CRM have in common."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from libs.bus.rpc import Handler
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store import StoreRefused, StoreTooSlow, StoreUnavailable

log = structlog.get_logger()

Answer = Callable[[Any], Awaitable[Any]]
Answers = dict[Endpoint[Any, Any], Handler[Any, Any]]


def answering(answers: Mapping[Endpoint[Any, Any], Answer], then: Callable[[], None] | None = None) -> Answers:
    """With UNAVAILABLE while the database is away, TIMEOUT for what takes it too long, and INVALID_REQUEST for what it
    does not take. `then` is called after each answer: what was written may have to be told."""
    return {endpoint: _guarded(answer, then) for endpoint, answer in answers.items()}


def not_found(what: str) -> RpcError:
    return RpcError(ErrorCode.NOT_FOUND, f"There is no such {what}")


def _guarded(answer: Answer, then: Callable[[], None] | None) -> Handler[Any, Any]:
    async def handler(query: Any) -> Any:
        try:
            answered = await answer(query)
        except StoreTooSlow as error:
            log.warning("too_slow", query=type(query).__name__, error=str(error))
            raise RpcError(ErrorCode.TIMEOUT, "it takes the database too long") from error
        except StoreUnavailable as error:
            log.warning("not_answered", query=type(query).__name__, error=str(error))
            raise RpcError(ErrorCode.UNAVAILABLE, "the database is away") from error
        except StoreRefused as error:
            log.warning("refused", query=type(query).__name__, error=str(error))
            raise RpcError(ErrorCode.INVALID_REQUEST, "the database does not take one of these values") from error
        if then is not None:
            then()
        return answered

    return handler
