"""Faults around one order, drawn from a seed: the same seed, the same faults, as plain data for any driver.

A driver takes the steps in their order and injects each fault when its moment has come, at `EURUSD` and the user given.
"""

from collections.abc import Callable
from enum import IntEnum
from random import Random
from typing import NamedTuple

from services.paper_broker.faults import (
    DelayReply,
    DropBeforeReply,
    DropConnections,
    DuplicateEvent,
    EventName,
    ExpireSession,
    FailSessionRequest,
    Fault,
    FreezeMarket,
    HangSessionRequest,
    HideDigitalPosition,
    InsufficientFundsOnce,
    RefuseLogin,
    RejectOrder,
    ReorderEvents,
    StallConnections,
    SuspendActive,
    SwallowEvent,
    SwallowReply,
    TooLate,
    WithholdResult,
)

EURUSD = 76
HISTORY = "portfolio.get-history-positions"
OPEN_POSITIONS = "portfolio.get-positions"
_EVENTS: tuple[EventName, ...] = ("position-changed", "balance-changed", "order-changed")


class Moment(IntEnum):
    """When a fault is injected."""

    BEFORE_ORDER = 1
    """Some time before: what it does has happened when the order leaves."""
    IN_FLIGHT = 2
    """While the order is sent and not answered; or at once before it leaves, to meet it or its reply."""
    POSITION_OPEN = 3
    """After the booking, before the option expires."""
    AT_SETTLEMENT = 4
    """In the last second before the option expires."""


class Step(NamedTuple):
    moment: Moment
    fault: Fault


Draw = Callable[[Random, int], Fault]
"""A fault for a user."""

_CONNECTION: tuple[Draw, ...] = (
    lambda random, user: DropConnections(user=user, seconds=_short(random)),
    lambda random, user: StallConnections(user=user, seconds=_short(random)),
    lambda _, user: ExpireSession(user=user),
)
_SESSION: tuple[Draw, ...] = (
    lambda random, user: RefuseLogin(user=user, count=random.randint(1, 3)),
    lambda random, user: FailSessionRequest(user=user, status=random.choice((429, 500, 502, 503))),
    lambda random, user: HangSessionRequest(user=user, seconds=_short(random)),
)
_MARKET: tuple[Draw, ...] = (
    lambda _, __: SuspendActive(active=EURUSD),
    lambda _, __: FreezeMarket(active=EURUSD),
)
_ORDER: tuple[Draw, ...] = (
    lambda random, user: DelayReply(user=user, seconds=random.uniform(0.1, 60)),
    lambda _, user: SwallowReply(user=user),
    lambda _, user: DropBeforeReply(user=user),
    lambda _, user: RejectOrder(user=user),
    lambda _, user: InsufficientFundsOnce(user=user),
    lambda _, user: TooLate(user=user),
    lambda random, user: HideDigitalPosition(user=user, seconds=random.uniform(1, 30)),
)
_EVENT: tuple[Draw, ...] = (
    lambda random, user: DuplicateEvent(user=user, event=random.choice(_EVENTS), count=random.randint(1, 3)),
    lambda random, user: ReorderEvents(user=user, event=random.choice(_EVENTS), seconds=_short(random)),
    lambda random, user: SwallowEvent(user=user, event=random.choice(_EVENTS), count=random.randint(1, 3)),
)
_LOOK_UP: tuple[Draw, ...] = (
    lambda random, user: SwallowReply(user=user, request=random.choice((HISTORY, OPEN_POSITIONS))),
    lambda random, user: DelayReply(
        user=user, request=random.choice((HISTORY, OPEN_POSITIONS)), seconds=_short(random)
    ),
)
_RESULT: tuple[Draw, ...] = (
    lambda random, user: WithholdResult(user=user, seconds=random.choice((0, _short(random)))),
)

FITTING: dict[Moment, tuple[Draw, ...]] = {
    Moment.BEFORE_ORDER: _CONNECTION + _SESSION + _MARKET,
    Moment.IN_FLIGHT: _ORDER + _EVENT + _CONNECTION,
    Moment.POSITION_OPEN: _EVENT + _CONNECTION + _SESSION + _MARKET + _LOOK_UP,
    Moment.AT_SETTLEMENT: _EVENT + _CONNECTION + _SESSION + _LOOK_UP + _RESULT,
}
"""Which faults can matter when."""

_MAX_STEPS = 4


def schedule(seed: int, user: int) -> list[Step]:
    """One to four steps, the earliest moment first."""
    random = Random(seed)
    moments = sorted(random.choices(list(Moment), k=random.randint(1, _MAX_STEPS)))
    return [Step(moment, random.choice(FITTING[moment])(random, user)) for moment in moments]


def _short(random: Random) -> float:
    """Seconds."""
    return round(random.uniform(0.05, 2), 2)
