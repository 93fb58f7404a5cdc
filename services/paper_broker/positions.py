"""Positions: kept in the database, and while they are open also at hand."""

from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum
from heapq import heappop, heappush
from sqlite3 import Row
from typing import Literal

import msgspec

from services.paper_broker.money import from_units, to_units
from services.paper_broker.storage import Storage

Direction = Literal["call", "put"]


class InstrumentType(StrEnum):
    BINARY = "binary-option"
    DIGITAL = "digital-option"
    TURBO = "turbo-option"
    BLITZ = "blitz-option"
    MARGIN_FOREX = "marginal-forex"
    MARGIN_CFD = "marginal-cfd"
    MARGIN_CRYPTO = "marginal-crypto"


class CloseReason(StrEnum):
    """The broker's words and its spelling (quadcode-protocol §19)."""

    WIN = "win"
    EQUAL = "equal"
    LOOSE = "loose"
    SOLD = "sold"
    DEFAULT = "default"
    """A digital option or a margin position closed by its user."""
    EXPIRED = "expired"
    """A digital option that was kept; this word and those below are ours (quadcode-protocol §13.5)."""
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    STOP_OUT = "stop_out"
    """The margin level of its balance had fallen too low."""


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    quote: float
    time: int
    """Epoch milliseconds."""
    profit: Decimal
    """Gross: what was paid back, 0 on a loss; of a margin position its margin and what it won or lost."""
    reason: CloseReason


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What a margin position has and no option."""

    count: Decimal
    """Units of the underlying."""
    leverage: Decimal
    stop_loss: float | None = None
    """Price."""
    take_profit: float | None = None
    """Price."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    external_id: int
    """The option id, where it is one."""
    order_id: int = 0
    """Of the order that opened it, 0 where that has no number of its own: then it is the option id."""
    id: str
    user_id: int
    balance_id: int
    active_id: int
    instrument_type: InstrumentType
    direction: Direction
    """A margin position that was bought is a call: it wins when the price rises."""
    invest: Decimal
    """Stake, or the margin that is tied up."""
    payout: int = 0
    """Percent won on a win."""
    expected_profit: Decimal = Decimal(0)
    """Gross amount on a win, stake included; 0 where it has no bound."""
    strike: float
    """The price the outcome is decided at; the opening price unless a digital option names another."""
    open_quote: float
    open_time: int
    """Epoch milliseconds."""
    quote_time: int
    """Epoch milliseconds of the opening quote."""
    expiration: int = 0
    """Epoch seconds; 0 for margin positions, which have none."""
    version: int = 1
    exposure: Exposure | None = None
    """Of a margin position."""
    closing: Closing | None = None


class Positions:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._open: defaultdict[int, dict[int, Position]] = defaultdict(dict)
        """By user and external id."""
        self._expiring: list[tuple[int, int, int]] = []
        for row in storage.rows("SELECT * FROM positions WHERE close_time IS NULL"):
            self.opened(_position(row))

    def insert(self, position: Position) -> Position:
        """With its external id; inside a transaction, after which `opened` takes note of it."""
        external_id = self._storage.next_id()
        order_id = position.order_id or external_id
        self._storage.change(
            "INSERT INTO positions (external_id, id, user_id, balance_id, active_id, instrument_type, order_id,"
            " direction, invest, payout, expected_profit, strike, open_quote, open_time, quote_time, expiration,"
            " version, count, leverage, stop_loss, take_profit)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(external_id, position.id, position.user_id, position.balance_id, position.active_id),
            *(position.instrument_type, order_id, position.direction, to_units(position.invest), position.payout),
            *(to_units(position.expected_profit), position.strike, position.open_quote, position.open_time),
            *(position.quote_time, position.expiration, position.version, *_columns(position.exposure)),
        )
        return msgspec.structs.replace(position, external_id=external_id, order_id=order_id)

    def opened(self, position: Position) -> None:
        self._open[position.user_id][position.external_id] = position
        if position.expiration:
            heappush(self._expiring, (position.expiration, position.external_id, position.user_id))

    def close(self, position: Position, closing: Closing) -> Position:
        """The closed position; inside a transaction, after which `closed` takes note of it."""
        version = position.version + 1
        self._storage.change(
            "UPDATE positions SET close_quote = ?, close_time = ?, close_profit = ?, close_reason = ?, version = ?"
            " WHERE external_id = ?",
            *(closing.quote, closing.time, to_units(closing.profit), closing.reason, version, position.external_id),
        )
        return msgspec.structs.replace(position, version=version, closing=closing)

    def closed(self, position: Position) -> None:
        theirs = self._open[position.user_id]
        theirs.pop(position.external_id, None)
        if not theirs:
            del self._open[position.user_id]

    def due(self, second: int) -> list[Position]:
        """Open positions that have expired by that epoch second, earliest first."""
        due = []
        while self._expiring and self._expiring[0][0] <= second:
            _, external_id, user_id = heappop(self._expiring)
            position = self._open.get(user_id, {}).get(external_id)
            if position is not None:
                due.append(position)
        return due

    def open(self, user_id: int) -> list[Position]:
        """Oldest first."""
        return list(self._open.get(user_id, {}).values())

    def on_margin(self) -> list[Position]:
        """All that are open, of all users."""
        return [each for theirs in self._open.values() for each in theirs.values() if each.exposure is not None]

    def find(self, user_id: int, external_id: int) -> Position | None:
        """Open or closed, only if it is that user's."""
        row = self._storage.row("SELECT * FROM positions WHERE external_id = ? AND user_id = ?", external_id, user_id)
        return None if row is None else _position(row)

    def history(
        self, user_id: int, types: Collection[str], until: int, limit: int, offset: int, hidden: Collection[int] = ()
    ) -> list[Position]:
        """Closed ones up to `until` (epoch milliseconds), newest first, as if those `hidden` did not exist."""
        rows = self._storage.rows(
            "SELECT * FROM positions WHERE user_id = ? AND close_time <= ?"
            " AND instrument_type IN (SELECT value FROM json_each(?))"
            " AND external_id NOT IN (SELECT value FROM json_each(?))"
            " ORDER BY close_time DESC, external_id DESC LIMIT ? OFFSET ?",
            *(user_id, until, _json(types), _json(hidden), limit, offset),
        )
        return [_position(row) for row in rows]

    def count_closed(self, user_id: int, instrument_type: InstrumentType) -> int:
        row = self._storage.row(
            "SELECT count(*) AS closed FROM positions"
            " WHERE user_id = ? AND instrument_type = ? AND close_time IS NOT NULL",
            *(user_id, instrument_type),
        )
        return 0 if row is None else int(row["closed"])

    def all(self, user_id: int) -> list[Position]:
        """Oldest first."""
        rows = self._storage.rows("SELECT * FROM positions WHERE user_id = ? ORDER BY external_id", user_id)
        return [_position(row) for row in rows]


def _json(values: Collection[str] | Collection[int]) -> str:
    return msgspec.json.encode(values).decode()


def _position(row: Row) -> Position:
    return Position(
        external_id=row["external_id"],
        order_id=row["order_id"],
        id=row["id"],
        user_id=row["user_id"],
        balance_id=row["balance_id"],
        active_id=row["active_id"],
        instrument_type=InstrumentType(row["instrument_type"]),
        direction=row["direction"],
        invest=from_units(row["invest"]),
        payout=row["payout"],
        expected_profit=from_units(row["expected_profit"]),
        strike=row["strike"],
        open_quote=row["open_quote"],
        open_time=row["open_time"],
        quote_time=row["quote_time"],
        expiration=row["expiration"],
        version=row["version"],
        exposure=None if row["count"] is None else _exposure(row),
        closing=None if row["close_time"] is None else _closing(row),
    )


def _columns(exposure: Exposure | None) -> tuple[object, ...]:
    if exposure is None:
        return (None,) * 4
    return str(exposure.count), str(exposure.leverage), exposure.stop_loss, exposure.take_profit


def _exposure(row: Row) -> Exposure:
    return Exposure(
        count=Decimal(row["count"]),
        leverage=Decimal(row["leverage"]),
        stop_loss=row["stop_loss"],
        take_profit=row["take_profit"],
    )


def _closing(row: Row) -> Closing:
    return Closing(
        quote=row["close_quote"],
        time=row["close_time"],
        profit=from_units(row["close_profit"]),
        reason=CloseReason(row["close_reason"]),
    )
