"""What all answers to administrators have in common."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from libs.bus import BusUnavailable
from libs.bus.rpc import Handler
from libs.contracts.account import AccountType
from libs.contracts.admin import Accounts
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store import StoreUnavailable

log = structlog.get_logger()

Answer = Callable[[Any], Awaitable[Any]]


def answering(answers: Mapping[Endpoint[Any, Any], Answer]) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
    """With UNAVAILABLE while the database or the bus is away."""
    return {endpoint: _guarded(answer) for endpoint, answer in answers.items()}


def accounts_of(accounts: Accounts) -> tuple[AccountType, ...]:
    return tuple(AccountType) if accounts is Accounts.BOTH else (AccountType(accounts),)


def _guarded(answer: Answer) -> Handler[Any, Any]:
    async def handler(query: Any) -> Any:
        try:
            return await answer(query)
        except StoreUnavailable as error:
            log.warning("not_answered", query=type(query).__name__, error=str(error))
            raise RpcError(ErrorCode.UNAVAILABLE, "the database is away") from error
        except BusUnavailable as error:
            log.warning("not_answered", query=type(query).__name__, error=str(error))
            raise RpcError(ErrorCode.UNAVAILABLE, "the message bus is away") from error

    return handler
