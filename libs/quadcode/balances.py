"""Balances (quadcode-protocol §8)."""

from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic
from libs.quadcode.frames import Result


class BalanceType(IntEnum):
    REAL = 1
    DEMO = 4


TRADABLE = tuple(int(type_) for type_ in BalanceType)


class GetBalances(Struct, frozen=True):
    types_ids: tuple[int, ...] = TRADABLE


class Balance(Struct, frozen=True):
    """Money in major units of `currency`."""

    id: int
    type: int
    """A BalanceType; the broker has others."""
    amount: Decimal
    currency: str
    bonus_amount: Decimal = Decimal(0)
    is_marginal: bool = False


class BalanceChanged(Struct, frozen=True):
    """Absolute values, not differences."""

    current_balance: Balance


class ResetDemo(Struct, frozen=True):
    user_balance_id: int
    amount: Decimal


GET_BALANCES = Call("balances.get-available-balances", "1.0", GetBalances, list[Balance])
RESET_DEMO = Call("internal-billing.reset-training-balance", "4.0", ResetDemo, Result)
BALANCE_CHANGED = Topic("balances.balance-changed", "1.0", "balances", "balance-changed", BalanceChanged)

DEMO_AMOUNT = Decimal(10000)


class BalanceList:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def all(self) -> Sequence[Balance]:
        """Every real and demo balance of the user. Raises NotConnected or RequestFailed."""
        return await self._channel.request(GET_BALANCES, GetBalances())

    async def watch(self, listener: Listener[BalanceChanged]) -> Subscription:
        return await self._channel.subscribe(BALANCE_CHANGED, (), listener)

    async def reset_demo(self, balance_id: int, amount: Decimal = DEMO_AMOUNT) -> None:
        """Ask for a fresh demo balance; it comes as a change. Raises NotConnected or RequestFailed."""
        await self._channel.request(RESET_DEMO, ResetDemo(balance_id, amount))
