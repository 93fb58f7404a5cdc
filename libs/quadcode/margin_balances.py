"""What margin balances are worth, and what any balance can buy (quadcode-protocol §8.3)."""

from decimal import Decimal

from msgspec import Struct

from libs.quadcode.balances import Balance
from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic
from libs.quadcode.frames import Result


class BalanceQuery(Struct, frozen=True):
    user_balance_id: int


class MarginBalance(Struct, frozen=True, kw_only=True):
    """Money in major units of `currency`; absolute values, not differences."""

    id: int
    type: int
    cash: Decimal
    currency: str
    bonus: Decimal = Decimal(0)
    """Stands for the balance's `bonus_amount`."""
    pnl: Decimal = Decimal(0)
    """Of what is open, gross."""
    pnl_net: Decimal = Decimal(0)
    equity: Decimal = Decimal(0)
    equity_usd: Decimal | None = None
    """In USD; leverage depends on it."""
    swap: Decimal = Decimal(0)
    dividends: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)
    """In use."""
    available: Decimal = Decimal(0)
    """Free margin."""
    margin_level: Decimal | None = None
    """Percent."""
    stop_out_level: Decimal | None = None
    """Percent."""


_SERVICE = "marginal-portfolio"

GET_MARGIN_BALANCE = Call(f"{_SERVICE}.get-marginal-balance", "1.0", BalanceQuery, MarginBalance)
SUBSCRIBE_MARGIN_BALANCE = Call(f"{_SERVICE}.subscribe-balance-changed", "1.0", BalanceQuery, Result)
MARGIN_BALANCE_CHANGED = Topic(f"{_SERVICE}.balance-changed", "1.0", _SERVICE, "balance-changed", MarginBalance)


class MarginBalances:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def get(self, balance_id: int) -> MarginBalance:
        """Of a balance that `is_marginal`. Raises NotConnected or RequestFailed."""
        return await self._channel.request(GET_MARGIN_BALANCE, BalanceQuery(balance_id))

    async def watch(self, balance_id: int, listener: Listener[MarginBalance]) -> Subscription:
        """Every change of that one, over every reconnect. Raises RequestFailed."""

        def hear(balance: MarginBalance) -> None:
            if balance.id == balance_id:
                listener(balance)

        changes = await self._channel.subscribe(MARGIN_BALANCE_CHANGED, (), hear)
        try:
            asked = await self._channel.keep(SUBSCRIBE_MARGIN_BALANCE, BalanceQuery(balance_id))
        except BaseException:
            await changes.stop()
            raise
        return _Both(asked, changes)


class _Both:
    def __init__(self, *parts: Subscription) -> None:
        self._parts = parts

    async def stop(self) -> None:
        for part in self._parts:
            await part.stop()


def available_for_options(balance: Balance, margin: MarginBalance | None = None) -> Decimal:
    """Major units; `margin` of a balance that is marginal, when it is known."""
    if not balance.is_marginal or margin is None:
        return balance.amount + balance.bonus_amount
    if not margin.available or not margin.cash:
        return balance.amount + margin.bonus
    return min(margin.available, margin.cash) + margin.bonus


def available_for_margin(balance: Balance, margin: MarginBalance | None = None) -> Decimal:
    """Major units; nothing on a marginal balance whose margin is not known."""
    if not balance.is_marginal:
        return balance.amount
    return margin.available if margin is not None else Decimal(0)
