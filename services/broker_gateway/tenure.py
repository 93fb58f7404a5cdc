"""The right to act for one user at one account of the broker."""

from collections.abc import Callable
from typing import Protocol

from libs.bus import Bus
from services.broker_gateway.broker import BrokerUnavailable


class Right(Protocol):
    """The right to act; a lease, or several."""

    @property
    def held(self) -> bool: ...


class Tenure:
    """Two leases: of a user's gateways one holds the session, and of an account's users one drives it.

    The second because a broker id is only what a user says it is: two users who say the same must not both trade on it.
    """

    def __init__(self, bus: Bus, user: str, account: str, on_lost: Callable[[], None]) -> None:
        self._user = bus.lease(f"session.{user}")
        self._account = bus.lease(f"session.account-{account}")
        self._user.on_lost = self._account.on_lost = on_lost

    @property
    def held(self) -> bool:
        return self._user.held and self._account.held

    async def acquire(self) -> bool:
        """False when another gateway holds the user's session. Raises BrokerUnavailable when another user holds the
        account."""
        if not await self._user.acquire():
            return False
        if await self._account.acquire():
            return True
        await self._user.release()
        raise BrokerUnavailable("this broker account is in use by another session")

    async def release(self) -> None:
        await self._account.release()
        await self._user.release()
