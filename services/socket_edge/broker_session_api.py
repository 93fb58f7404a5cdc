"""Sessions at the broker as older clients keep books of them (api-contract §4.5): the same ones that connect opens.

No session id of the broker's is taken or told. What clients have instead is a handle, which opens nothing.
"""

from datetime import timedelta
from decimal import Decimal
from hmac import compare_digest
from typing import Literal
from uuid import UUID

import msgspec

from libs.contracts.account import AccountType, Balance, SessionStatus
from libs.contracts.clock import Clock
from libs.store.bot_status import handle
from services.socket_edge import requests, responses
from services.socket_edge.connection_api import ConnectionApi
from services.socket_edge.dispatch import Call
from services.socket_edge.errors import ApiError, ErrorBody
from services.socket_edge.session_responses import BrokerSession, BrokerSessionAnswer, BrokerSessionMade, HandleValid
from services.socket_edge.state import State


class HandleBody(ErrorBody, frozen=True, kw_only=True, rename="camel"):
    valid: Literal[False] = False


class HandleRefused(ApiError):
    """422, not 401: clients take that for the end of their own session (api-contract §2.4)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(422, code, message, field="ssid")

    def body(self, request_id: str) -> HandleBody:
        return HandleBody(**msgspec.structs.asdict(super().body(request_id)))


class BrokerSessionApi:
    def __init__(self, state: State, connection: ConnectionApi, clock: Clock) -> None:
        self._state = state
        self._connection = connection
        self._clock = clock

    async def make(self, call: Call[requests.Nothing, requests.BrokerSessionRequest]) -> BrokerSessionMade:
        """Connects. Idempotent: a session that there is, is told."""
        given, known = call.body.avalon_credentials, await self._connection.broker_user_id(call.user)
        if given.avalon_user_id is not None and str(given.avalon_user_id) != known:
            raise ApiError(
                422, "BROKER_USER_MISMATCH", "The profile has another broker user id",
                field="avalonCredentials.avalonUserId",
            )  # fmt: skip
        report = await self._connection.open(call.user)
        balance = report.balances.of(AccountType.DEMO) if report.balances is not None else None
        shown = self._shown(report.status, known, balance)
        return BrokerSessionMade(message="Connected to the broker; the session id stays there", data=shown)

    async def validate(self, call: Call[requests.Nothing, requests.HandleRequest]) -> HandleValid:
        """Whether that handle is the user's, and its session is open at the broker now."""
        if not compare_digest(call.body.ssid.encode(), handle(call.user).encode()):
            raise HandleRefused("SSID_MISMATCH", "SSID mismatch")
        facts = self._state.of(call.user)
        if facts.session is None:
            raise HandleRefused("SESSION_NOT_FOUND", "Session not found")
        if not facts.connected:
            raise HandleRefused("SSID_EXPIRED", "SSID expired")
        return HandleValid(message="The session is open")

    async def session(self, call: Call[requests.OfUser, requests.Nothing]) -> BrokerSessionAnswer:
        facts = self._state.of(call.user)
        if facts.session is None or not facts.connected:
            raise _no_session()
        known = await self._connection.broker_user_id(call.user)
        return BrokerSessionAnswer(data=self._shown(facts.session, known, facts.balance(AccountType.DEMO)))

    async def close(self, call: Call[requests.Nothing, requests.OfUser]) -> responses.Done:
        """Stops a running bot first."""
        if not self._state.of(call.user).connected:
            raise _no_session()
        await self._connection.close(call.user)
        return responses.Done(message="Session closed")

    def _shown(self, status: SessionStatus, broker_user_id: str, balance: Balance | None) -> BrokerSession:
        age = max(timedelta(0), self._clock.now() - status.at)
        return BrokerSession(
            user_id=UUID(status.user),
            avalon_user_id=broker_user_id,
            balance=balance.amount if balance is not None else Decimal(0),
            currency=balance.currency if balance is not None else "USD",
            session_id=status.request,
            created_at=status.at,
            age_ms=age // timedelta(milliseconds=1),
            age_hours=f"{age / timedelta(hours=1):.2f}",
        )


def _no_session() -> ApiError:
    return ApiError(404, "NOT_FOUND", "Session not found")
