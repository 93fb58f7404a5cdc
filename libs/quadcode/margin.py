"""Margin trading: orders at the market and pending ones, closing, cancelling (quadcode-protocol §16.4, §16.5)."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic
from libs.quadcode.features import require
from libs.quadcode.frames import Result
from libs.quadcode.margin_instruments import (
    GetMarginInstruments,
    MarginInstrument,
    MarginInstruments,
    MarginKind,
    Nothing,
    UnderlyingItems,
)
from libs.quadcode.placing import ClosePosition, Placed, confirm, place
from libs.quadcode.underlyings import Underlying


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class TriggerType(StrEnum):
    PRICE = "price"
    PIPS = "pips"
    DELTA = "delta"
    PNL = "pnl"
    """Major units of the balance's currency."""


class Trigger(Struct, frozen=True):
    """Of a stop loss or take profit."""

    value: Decimal
    type: TriggerType = TriggerType.PRICE


class WireTrigger(Struct, frozen=True):
    value: str
    type: TriggerType


class PlaceOrder(Struct, frozen=True, kw_only=True):
    """All numbers are decimals in text."""

    side: Side
    user_balance_id: int
    count: str
    """Units of the underlying."""
    instrument_id: str
    instrument_active_id: int
    leverage: str
    stop_price: str | UnsetType = UNSET
    limit_price: str | UnsetType = UNSET
    stop_loss: WireTrigger | UnsetType = UNSET
    take_profit: WireTrigger | UnsetType = UNSET


class CancelOrder(Struct, frozen=True):
    order_id: int


class MarginOrder(Struct, frozen=True, kw_only=True):
    """What is to be bought or sold."""

    instrument: MarginInstrument
    side: Side
    quantity: Decimal
    """Lots."""
    leverage: Decimal
    balance_id: int
    stop_loss: Trigger | None = None
    take_profit: Trigger | None = None

    def __post_init__(self) -> None:
        instrument = self.instrument
        if not self.quantity.is_finite() or self.quantity < instrument.min_qty or self.quantity <= 0:
            raise ValueError(f"quantity: must be at least {instrument.min_qty}, not {self.quantity}")
        if instrument.qty_step and self.quantity % instrument.qty_step:
            raise ValueError(f"quantity: must be a multiple of {instrument.qty_step}, not {self.quantity}")
        if not self.leverage.is_finite() or self.leverage <= 0:
            raise ValueError(f"leverage: must be above 0, not {self.leverage}")


class Margin:
    """Of one kind. Reads and subscriptions raise NotConnected or RequestFailed; all but `close` and `cancel` raise
    FeatureDisabled.
    """

    def __init__(self, channel: Channel, kind: MarginKind) -> None:
        service, instruments = f"marginal-{kind}", f"marginal-{kind}-instruments"
        self.kind = kind
        self._channel = channel
        self._get_underlyings = Call(f"{instruments}.get-underlying-list", "1.0", Nothing, UnderlyingItems)
        self._get_instruments = Call(
            f"{instruments}.get-instruments-list", "1.0", GetMarginInstruments, MarginInstruments
        )
        self._underlyings_changed = Topic(
            f"{instruments}.underlying-list-changed", "1.0", instruments, "underlying-list-changed", UnderlyingItems
        )
        self._place_market = Call(f"{service}.place-market-order", "1.0", PlaceOrder, Placed)
        self._place_stop = Call(f"{service}.place-stop-order", "1.0", PlaceOrder, Placed)
        self._place_limit = Call(f"{service}.place-limit-order", "1.0", PlaceOrder, Placed)
        self._close = Call(f"{service}.close-position", "1.0", ClosePosition, Result)
        self._cancel = Call(f"{service}.cancel-pending-order", "1.0", CancelOrder, Result)

    async def underlyings(self) -> Sequence[Underlying]:
        require(self._channel, self.kind.feature)
        return (await self._channel.request(self._get_underlyings, Nothing())).items

    async def watch_underlyings(self, listener: Listener[UnderlyingItems]) -> Subscription:
        """Lists of what changed; whoever is not in one stays as it was."""
        require(self._channel, self.kind.feature)
        return await self._channel.subscribe(self._underlyings_changed, (), listener)

    async def instruments(self, active_id: int) -> MarginInstruments:
        require(self._channel, self.kind.feature)
        return await self._channel.request(self._get_instruments, GetMarginInstruments(active_id))

    async def market(self, order: MarginOrder, timeout: float | None = None) -> int:
        """Buy or sell now, at most once. The order's number; whether it was filled is told by `Orders.watch`.

        Raises OrderRejected, OrderOutcomeUnknown or NotConnected, as `Options.open`; so do all below.
        """
        return await self._place(self._place_market, self._wire(order), timeout)

    async def stop(self, order: MarginOrder, price: Decimal, timeout: float | None = None) -> int:
        """Pending until the price gets worse than `price`; one that already is becomes a limit order."""
        return await self._place(self._place_stop, self._wire(order, stop_price=price), timeout)

    async def limit(self, order: MarginOrder, price: Decimal, timeout: float | None = None) -> int:
        """Pending until the price gets better than `price`; one that already is becomes a stop order."""
        return await self._place(self._place_limit, self._wire(order, limit_price=price), timeout)

    async def close(self, external_id: int) -> None:
        """Close a position."""
        await confirm(self._channel, self._close, ClosePosition(external_id))

    async def cancel(self, number: int) -> None:
        """Cancel a pending order; that it was is told by `Orders.watch`."""
        await confirm(self._channel, self._cancel, CancelOrder(number))

    async def _place(self, call: Call[PlaceOrder, Placed], body: PlaceOrder, timeout: float | None) -> int:
        require(self._channel, self.kind.feature)
        return (await place(self._channel, call, body, timeout)).id

    def _wire(
        self, order: MarginOrder, stop_price: Decimal | None = None, limit_price: Decimal | None = None
    ) -> PlaceOrder:
        return PlaceOrder(
            side=order.side,
            user_balance_id=order.balance_id,
            count=_text(order.quantity * self.kind.lot),
            instrument_id=order.instrument.id,
            instrument_active_id=order.instrument.active_id,
            leverage=_text(order.leverage),
            stop_price=UNSET if stop_price is None else _text(stop_price),
            limit_price=UNSET if limit_price is None else _text(limit_price),
            stop_loss=_trigger(order.stop_loss),
            take_profit=_trigger(order.take_profit),
        )


def _trigger(trigger: Trigger | None) -> WireTrigger | UnsetType:
    return UNSET if trigger is None else WireTrigger(_text(trigger.value), trigger.type)


def _text(number: Decimal) -> str:
    """Without an exponent or needless zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
