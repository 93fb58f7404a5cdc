"""The `bot_status` row of every user, kept as the buckets `accounts` and `bots` say."""

import asyncio
from collections.abc import Iterable

import msgspec

from libs.bus import Bus, BusUnavailable, Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import ACCOUNTS, BOTS
from libs.contracts import keys
from libs.contracts.account import AccountChoice, AccountType, Balances, SessionStatus
from libs.contracts.bots import BotStatus
from libs.contracts.ids import BotId
from libs.contracts.rpc import ErrorCode, Nothing, OfUser, RpcError
from libs.store import StoreRefused, StoreUnavailable
from libs.store.bot_status import BATCH, BotStatuses, UserState

_LINGER = 0.2
"""Seconds in which changes of one user become one write."""

CONSUMERS = (
    Consumer(
        ACCOUNTS.stream,
        "analytics",
        subjects=(f"$KV.{ACCOUNTS.name}.{keys.session('*')}", f"$KV.{ACCOUNTS.name}.{keys.balance('*')}"),
        batch=BATCH,
        linger=_LINGER,
    ),
    Consumer(
        BOTS.stream,
        "analytics",
        subjects=(f"$KV.{BOTS.name}.{keys.bot_status(keys.EVERY_BOT)}",),
        batch=BATCH,
        linger=_LINGER,
    ),
)


class Statuses:
    def __init__(self, bus: Bus, statuses: BotStatuses) -> None:
        self._accounts = bus.bucket(ACCOUNTS)
        self._bots = bus.bucket(BOTS)
        self._statuses = statuses

    async def follow(self, batch: list[Delivery]) -> None:
        """A change says only whose state changed; what is written is read now, so an old change writes nothing old.

        Raises Poison for a state that cannot be read or is refused, Unavailable while database or bus are away.
        """
        users = dict.fromkeys(delivery.subject.split(".")[2] for delivery in batch)
        try:
            await self._record(users)
        except (StoreUnavailable, BusUnavailable) as error:
            raise Unavailable(str(error)) from error
        except (StoreRefused, msgspec.DecodeError) as error:
            raise Poison(str(error)) from error

    async def record(self, request: OfUser) -> Nothing:
        """Answers `rpc.analytics.record_status`."""
        try:
            await self._record([request.user])
        except (StoreUnavailable, BusUnavailable) as error:
            raise RpcError(ErrorCode.UNAVAILABLE, "the status cannot be recorded now") from error
        return Nothing()

    async def _record(self, users: Iterable[str]) -> None:
        await self._statuses.record(await asyncio.gather(*(self._state(user) for user in users)))

    async def _state(self, user: str) -> UserState:
        keys_of_bots = [keys.bot_status(BotId(user, each)) for each in AccountType]
        session, balances, choice, bots = await asyncio.gather(
            self._accounts.get(keys.session(user), SessionStatus),
            self._accounts.get(keys.balance(user), Balances),
            self._bots.get(keys.account_choice(user), AccountChoice),
            asyncio.gather(*(self._bots.get(key, BotStatus) for key in keys_of_bots)),
        )
        return UserState(
            user,
            session.value if session else None,
            balances.value if balances else None,
            tuple(bot.value for bot in bots if bot),
            choice.value if choice else None,
        )
