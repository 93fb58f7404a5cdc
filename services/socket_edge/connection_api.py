"""A user's connection to the broker (api-contract §3.1–3.4, §4.1)."""

from decimal import Decimal

import msgspec

from libs.bus import Bus
from libs.contracts import rpc, subjects
from libs.contracts.account import AccountType
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.people import People
from services.socket_edge import requests, responses
from services.socket_edge.dispatch import Call
from services.socket_edge.errors import ApiError, not_connected
from services.socket_edge.session_responses import ConnectionAnswer, NeverConnected
from services.socket_edge.state import Facts, State

Nothing = requests.Nothing
OfUser = requests.OfUser


class ConnectionApi:
    """Reads are answered from memory: every open page polls them."""

    def __init__(self, bus: Bus, state: State, people: People) -> None:
        self._bus = bus
        self._state = state
        self._people = people

    async def connect(self, call: Call[Nothing, OfUser]) -> responses.Connected:
        report = await self.open(call.user)
        balance = report.balances.of(AccountType.DEMO) if report.balances is not None else None
        return responses.Connected(
            message="Connected to Avalon",
            balance=f"{balance.amount} {balance.currency}" if balance is not None else "N/A",
            balance_amount=balance.amount if balance is not None else Decimal(0),
        )

    async def reconnect(self, call: Call[Nothing, OfUser]) -> responses.Reconnected:
        """Also of who is not connected. A bot waits meanwhile, and goes on."""
        report = await self._open(rpc.RECONNECT, call.user)
        balance = report.balances.of(AccountType.DEMO) if report.balances is not None else None
        amount = balance.amount if balance is not None else Decimal(0)
        return responses.Reconnected(message="Reconnected to Avalon", balance=amount, balance_amount=amount)

    async def disconnect(self, call: Call[Nothing, OfUser]) -> responses.Done:
        """Stops a running bot first. Done also when nothing was connected."""
        await self.close(call.user)
        return responses.Done(message="Disconnected from broker")

    def balance(self, facts: Facts, call: Call[requests.BalanceQuery, Nothing]) -> responses.BalanceAnswer:
        """Of exactly the type asked for: 0 when there is none, never another account's money."""
        if not facts.connected:
            raise not_connected()
        wanted = call.query.account_type
        balance = facts.balance(wanted)
        return responses.BalanceAnswer(
            balance=responses.BalanceOut(
                amount=balance.amount if balance is not None else Decimal(0),
                currency=balance.currency if balance is not None else "USD",
                id=balance.id if balance is not None else None,
                type=wanted,
            ),
            available_balances=responses.AvailableBalances(
                demo=facts.amounts[AccountType.DEMO],
                real=facts.amounts[AccountType.REAL],
            ),
        )

    def connection(self, facts: Facts, _call: Call[OfUser, Nothing]) -> ConnectionAnswer | NeverConnected:
        if facts.session is None:
            return NeverConnected()
        return ConnectionAnswer(
            connected=facts.connected,
            balance=facts.amounts[facts.account_type(facts.bots[None])],
            connection_type="websocket" if facts.connected else "unknown",
            last_update=facts.session.at,
        )

    async def sync(self, call: Call[Nothing, requests.SyncRequest]) -> responses.Synced:
        """The background finds results, too; this only asks sooner."""
        if not self._state.of(call.user).connected:
            raise not_connected()
        subject = subjects.session_rpc(call.user, rpc.SETTLE.name)
        settled = await self._bus.call(rpc.SETTLE, rpc.OfUser(user=call.user), subject=subject)
        message = f"{settled.closed} of {settled.total} pending positions settled"
        return responses.Synced(
            updated=settled.closed, total=settled.total, message=message if settled.total else "No pending positions"
        )

    async def open(self, user: str) -> rpc.SessionReport:
        """Connect; the user's row says so when this returns. Raises ApiError, RpcError, StoreError."""
        return await self._open(rpc.CONNECT, user)

    async def _open(
        self, endpoint: rpc.Endpoint[rpc.ConnectSession, rpc.SessionReport], user: str
    ) -> rpc.SessionReport:
        request = rpc.ConnectSession(user=user, broker_user_id=await self.broker_user_id(user))
        report = await self._bus.call(endpoint, request)
        await self._record(user)
        return report

    async def close(self, user: str) -> None:
        """Raises RpcError."""
        try:
            await self._bus.call(rpc.STOP_BOT, rpc.StopBot(user=user, reason="disconnect"))
        except RpcError as error:
            if error.code is not ErrorCode.NOT_RUNNING:
                raise
        await self._bus.call(rpc.DISCONNECT, rpc.OfUser(user=user))
        await self._record(user)

    async def broker_user_id(self, user: str) -> str:
        """Raises ApiError 400 for a user who has none yet."""
        profile = await self._people.profile(user)
        if profile is None:
            raise ApiError(400, "PROFILE_NOT_FOUND", "User profile not found")
        try:
            return msgspec.convert(profile.broker_user_id, rpc.BrokerUserId)
        except msgspec.ValidationError:
            message = "The profile has no broker user id. Set it in Settings first."
            raise ApiError(400, "NO_BROKER_USER_ID", message) from None

    async def _record(self, user: str) -> None:
        """The client reads its `bot_status` row as soon as it has our answer."""
        await self._bus.call(rpc.RECORD_STATUS, rpc.OfUser(user=user))
