"""What became of an order that was sent and never answered: its record against the broker's books."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from libs.contracts.orders import OptionKind, OrderRecord
from services.broker_gateway.broker import BrokerPosition, PositionKey

_CLOCK_TOLERANCE = timedelta(seconds=5)
"""How much the broker's clock, as we know it, may be wrong."""
_DURATION_TOLERANCE = timedelta(seconds=2)
"""The broker rounds an option's expiry to whole seconds."""


class Verdict(Enum):
    BOOKED = auto()
    NOT_BOOKED = auto()
    UNDECIDED = auto()
    """Two or more positions could be it, or one whose time does not fit."""
    WAIT = auto()
    """Not there, but it may still appear."""


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    position: BrokerPosition | None = None


def judge(
    record: OrderRecord,
    books: Iterable[BrokerPosition],
    linked: Collection[PositionKey],
    listed_at: datetime,
    grace: timedelta,
) -> Judgement:
    """`books` were complete at `listed_at`; `linked` are positions that belong to other orders.

    Absence is only certain when the books were read later than `grace` after the order could have been sent: brokers
    of this family have booked purchases as late as a minute. Of digital options it never is: some of their positions
    cannot be looked up, and are only told of when they open or close (field-notes §C1).
    """
    alike = [position for position in books if position.key not in linked and _is_alike(position, record)]
    candidates = [position for position in alike if _is_timely(position, record, grace)]
    if len(candidates) == 1:
        return Judgement(Verdict.BOOKED, candidates[0])
    if candidates:
        return Judgement(Verdict.UNDECIDED)
    digital = record.order.option is OptionKind.DIGITAL
    last_news = record.order.expires_at
    if digital and record.order.expiration is not None:
        last_news = record.order.expiration - _ahead(record)
    if listed_at <= last_news + grace:
        return Judgement(Verdict.WAIT)
    # One that is alike in everything but the time may be it, if a clock is wrong: then absence is not certain.
    return Judgement(Verdict.UNDECIDED if alike or digital else Verdict.NOT_BOOKED)


def _is_alike(candidate: BrokerPosition, record: OrderRecord) -> bool:
    order, position = record.order, candidate.position
    return (
        candidate.option is order.option
        and candidate.active_id == order.active_id
        and candidate.direction is order.direction
        and candidate.stake == order.stake
        and position.balance_id == record.balance_id
        and _expires_as(candidate, record)
    )


def _expires_as(candidate: BrokerPosition, record: OrderRecord) -> bool:
    order, position = record.order, candidate.position
    if order.expiration is not None:
        return position.expiry == order.expiration
    return abs(position.expiry - position.opened_at - timedelta(seconds=order.duration)) <= _DURATION_TOLERANCE


def _is_timely(candidate: BrokerPosition, record: OrderRecord, grace: timedelta) -> bool:
    sent_at = record.sent_at or record.order.at
    opened_at = candidate.position.opened_at - _ahead(record)
    return sent_at - _CLOCK_TOLERANCE <= opened_at <= record.order.expires_at + grace + _CLOCK_TOLERANCE


def _ahead(record: OrderRecord) -> timedelta:
    """How far the broker's clock was ahead of ours when it was sent."""
    sent_at = record.sent_at or record.order.at
    return (record.broker_sent_at or sent_at) - sent_at
