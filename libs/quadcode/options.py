"""Buying and selling blitz, turbo and binary options (quadcode-protocol §12.4, §12.5)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from msgspec import UNSET, Struct, UnsetType

from libs.quadcode.declarations import Call, Channel
from libs.quadcode.epoch import from_seconds
from libs.quadcode.features import BINARY, BLITZ, TURBO, require
from libs.quadcode.frames import Result
from libs.quadcode.option_actives import GET_INITIALIZATION_DATA, GetInitializationData, InitializationData
from libs.quadcode.placing import confirm, place


class OptionType(IntEnum):
    BINARY = 1
    TURBO = 3
    BLITZ = 12

    @property
    def feature(self) -> str:
        """What gates it."""
        return {1: BINARY, 3: TURBO, 12: BLITZ}[self]


class OptionDirection(StrEnum):
    CALL = "call"
    PUT = "put"


class OpenOption(Struct, frozen=True, kw_only=True):
    active_id: int
    direction: OptionDirection
    expired: int
    """Epoch second of the expiration; 0 for blitz."""
    option_type_id: OptionType
    price: Decimal
    """Stake in major units of the balance's currency."""
    user_balance_id: int
    profit_percent: int
    """As we believe it to be."""
    expiration_size: int | UnsetType = UNSET
    """Seconds from purchase to expiration; blitz only."""

    @classmethod
    def blitz(
        cls,
        *,
        active_id: int,
        direction: OptionDirection,
        duration: int,
        price: Decimal,
        balance_id: int,
        profit_percent: int,
    ) -> "OpenOption":
        return cls(
            active_id=active_id,
            direction=direction,
            expired=0,
            option_type_id=OptionType.BLITZ,
            price=price,
            user_balance_id=balance_id,
            profit_percent=profit_percent,
            expiration_size=duration,
        )

    @classmethod
    def timed(
        cls,
        *,
        kind: OptionType,
        active_id: int,
        direction: OptionDirection,
        expires_at: int,
        price: Decimal,
        balance_id: int,
        profit_percent: int,
    ) -> "OpenOption":
        """Turbo or binary; `expires_at` is the epoch second of an offered expiration. Raises ValueError for blitz."""
        if kind is OptionType.BLITZ:
            raise ValueError("kind: a blitz option has a duration, not an expiration")
        return cls(
            active_id=active_id,
            direction=direction,
            expired=expires_at,
            option_type_id=kind,
            price=price,
            user_balance_id=balance_id,
            profit_percent=profit_percent,
        )


class Option(Struct, frozen=True):
    """A bought option."""

    id: int
    """The `external_id` of its position."""
    exp: int
    """Epoch second of the expiration."""
    time_rate: int
    """Epoch second of the purchase."""
    value: float
    """The mid price it was opened at."""
    profit_income: float
    """Percent of the stake that is won on a win."""
    act: int = 0
    direction: str = ""
    price: Decimal = Decimal(0)
    type: str | None = None
    """In the broker's words."""

    @property
    def opened_at(self) -> datetime:
        return from_seconds(self.time_rate)

    @property
    def expires_at(self) -> datetime:
        return from_seconds(self.exp)


class SellOptions(Struct, frozen=True):
    options_ids: tuple[int, ...]


OPEN_OPTION = Call("binary-options.open-option", "2.0", OpenOption, Option)
SELL_OPTIONS = Call("binary-options.sell-options", "3.0", SellOptions, Result)


class Options:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def offers(self) -> InitializationData:
        """What can be bought. Raises NotConnected or RequestFailed."""
        return await self._channel.request(GET_INITIALIZATION_DATA, GetInitializationData())

    async def open(self, purchase: OpenOption, timeout: float | None = None) -> Option:
        """Buy. It is sent at most once, before anything is awaited.

        Raises FeatureDisabled or NotConnected when it certainly was not sent, OrderRejected when the broker refused
        it, and OrderOutcomeUnknown when the answer is lost; such a purchase may be booked and must never be sent again.
        """
        require(self._channel, purchase.option_type_id.feature)
        return await place(self._channel, OPEN_OPTION, purchase, timeout)

    async def sell(self, option_ids: Sequence[int]) -> None:
        """Sell turbo or binary options before they expire; blitz options cannot be sold.

        Raises OrderRejected, OrderOutcomeUnknown or NotConnected, as `open`.
        """
        await confirm(self._channel, SELL_OPTIONS, SellOptions(tuple(option_ids)))
