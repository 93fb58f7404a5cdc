"""Bots as sessions (api-contract §4.6): another view of what start-runtime and stop-runtime steer."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec
import structlog

from libs.bus import Bus
from libs.contracts import rpc
from libs.contracts.bots import BotStatus
from libs.contracts.ids import BotId
from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge import requests
from services.socket_edge import session_responses as responses
from services.socket_edge.bot_api import BotApi
from services.socket_edge.dispatch import Call
from services.socket_edge.errors import ApiError
from services.socket_edge.responses import Done
from services.socket_edge.state import State

log = structlog.get_logger()

_AT_ONCE = 16
"""Bots that are being stopped at the same time."""

Q = TypeVar("Q", bound=msgspec.Struct)

Nothing = requests.Nothing
Query = requests.OfUser


class SessionsApi:
    def __init__(self, bus: Bus, state: State, bots: BotApi) -> None:
        self._bus = bus
        self._state = state
        self._bots = bots

    async def start(self, call: Call[Query, requests.SessionStart]) -> responses.BotSessionStartAnswer:
        try:
            status = await self._bots.launch(call.user, call.body.config)
        except ApiError as error:
            if error.code == ErrorCode.ALREADY_RUNNING:
                error.message = "Session already running for this user"
            raise
        session = responses.BotSessionStarted(user_id=call.user, start_time=status.started_at)
        return responses.BotSessionStartAnswer(message="Session started", session=session)

    async def stop(self, call: Call[Query, requests.SessionChange]) -> responses.BotSessionStopAnswer:
        account_type = call.body.account_type
        status = await self._or_not_found(rpc.STOP_BOT, rpc.StopBot(user=call.user, account_type=account_type))
        return responses.BotSessionStopAnswer(message="Session stopped", stats=self._numbers(status))

    async def pause(self, call: Call[Query, requests.SessionChange]) -> Done:
        await self._or_not_found(rpc.PAUSE_BOT, rpc.OfBots(user=call.user, account_type=call.body.account_type))
        return Done(message="Session paused")

    async def resume(self, call: Call[Query, requests.SessionChange]) -> Done:
        await self._or_not_found(rpc.RESUME_BOT, rpc.OfBots(user=call.user, account_type=call.body.account_type))
        return Done(message="Session resumed")

    def status(self, call: Call[requests.OfBots, Nothing]) -> responses.BotSessionStatus | responses.NoBotSession:
        status = self._state.of(call.user).bots[call.query.account_type]
        if status is None or not status.state.alive:
            return responses.NoBotSession()
        uptime = max(timedelta(0), self._bus.clock.now() - status.started_at)
        return responses.BotSessionStatus(
            status=responses.word(status),
            start_time=status.started_at,
            uptime_ms=uptime // timedelta(milliseconds=1),
            uptime_minutes=f"{uptime / timedelta(minutes=1):.2f}",
            stats=self._numbers(status),
        )

    async def sessions(self, call: Call[requests.Page, Nothing]) -> responses.BotSessionsAnswer:
        """The oldest first."""
        running = sorted(self._state.running(), key=lambda status: (status.started_at, status.bot))
        page = running[call.query.offset :][: call.query.limit]
        return responses.BotSessionsAnswer(count=len(running), sessions=[self._session(status) for status in page])

    async def totals(self, _call: Call[Nothing, Nothing]) -> responses.BotTotals:
        numbers = [self._numbers(status) for status in self._state.running()]
        trades, wins = sum(each.trades for each in numbers), sum(each.wins for each in numbers)
        return responses.BotTotals(
            active_sessions=len(numbers),
            total_trades=trades,
            total_wins=wins,
            total_losses=sum(each.losses for each in numbers),
            total_profit=sum((each.profit for each in numbers), Decimal(0)),
            win_rate=f"{100 * wins / trades if trades else 0:.2f}",
        )

    async def stop_all(self, call: Call[Nothing, Nothing]) -> responses.BotsStopped:
        """Each stops when its open position is settled. Fails, after asking all of them, when one could not be told."""
        bots = [status.bot for status in self._state.running()]
        log.warning("all_bots_stopped", by=call.user, bots=len(bots))
        turns = asyncio.Semaphore(_AT_ONCE)

        async def stop(bot: BotId) -> bool:
            async with turns:
                return await self._stopped(bot)

        outcomes = await asyncio.gather(*map(stop, bots), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return responses.BotsStopped(message="All sessions are stopping", count=sum(map(bool, outcomes)))

    async def clean_up(self, _call: Call[Nothing, Nothing]) -> responses.SessionsCleaned:
        """There is never anything to clean: a run that ended is no session, and one that lasts is meant to."""
        return responses.SessionsCleaned(cleaned=0, remaining=len(self._state.running()))

    async def _stopped(self, bot: BotId) -> bool:
        """False for one that ended by itself meanwhile."""
        request = rpc.StopBot(user=bot.user, account_type=bot.account_type, reason="administrator")
        try:
            await self._bus.call(rpc.STOP_BOT, request)
        except RpcError as error:
            if error.code is not ErrorCode.NOT_RUNNING:
                raise
            return False
        return True

    async def _or_not_found(self, endpoint: rpc.Endpoint[Q, BotStatus], request: Q) -> BotStatus:
        try:
            return await self._bus.call(endpoint, request)
        except RpcError as error:
            if error.code not in (ErrorCode.NOT_RUNNING, ErrorCode.NOT_PAUSED):
                raise
            words = "No active session found for this user"
            words = words if error.code is ErrorCode.NOT_RUNNING else "No paused session found for this user"
            raise ApiError(404, error.code, words) from error

    def _session(self, status: BotStatus) -> responses.BotSession:
        return responses.BotSession(
            user_id=status.user,
            account_type=status.config.account_type,
            status=responses.word(status),
            start_time=status.started_at,
            stats=self._numbers(status),
        )

    def _numbers(self, status: BotStatus) -> responses.RunNumbers:
        return responses.RunNumbers.of(status, self._state.score(status.bot))
