"""Misbehaviour on demand, so that clients can be shown to survive it."""

from collections import deque
from typing import Annotated

import msgspec
from msgspec import Meta

from services.paper_broker.errors import Refused, Status

Seconds = Annotated[float, Meta(ge=0, le=600)]
Count = Annotated[int, Meta(ge=1, le=1000)]


class DelayReply(msgspec.Struct, frozen=True, tag_field="kind", tag="delay-reply"):
    """The next orders are booked at once, their events follow at once, their replies come late."""

    user: int
    seconds: Seconds
    count: Count = 1


class SwallowReply(msgspec.Struct, frozen=True, tag_field="kind", tag="swallow-reply"):
    """The next orders are booked and their replies never come."""

    user: int
    count: Count = 1


class DropBeforeReply(msgspec.Struct, frozen=True, tag_field="kind", tag="drop-before-reply"):
    """The next orders are booked, and then all connections of the user end before the reply."""

    user: int
    count: Count = 1


class RejectOrder(msgspec.Struct, frozen=True, tag_field="kind", tag="reject-order"):
    """The next orders are refused and nothing is booked."""

    user: int
    status: Annotated[int, Meta(ge=4000, le=5999)] = Status.NOT_ON_OFFER
    message: str = "Rejected."
    count: Count = 1


class DropConnections(msgspec.Struct, frozen=True, tag_field="kind", tag="drop-connections"):
    """All connections of the user end now."""

    user: int


class ExpireSession(msgspec.Struct, frozen=True, tag_field="kind", tag="expire-session"):
    """All session ids of the user become invalid and all connections end now."""

    user: int


OrderFault = DelayReply | SwallowReply | DropBeforeReply | RejectOrder
Fault = OrderFault | DropConnections | ExpireSession


class Faults:
    """What was asked for and has not happened yet."""

    def __init__(self) -> None:
        self._armed: dict[int, deque[OrderFault]] = {}

    def arm(self, fault: OrderFault) -> None:
        """For the user's next orders, after those armed before."""
        self._armed.setdefault(fault.user, deque()).extend([fault] * fault.count)

    def armed(self, user_id: int) -> int:
        """How many orders of the user will still meet one."""
        return len(self._armed.get(user_id, ()))

    def disarm(self, user_id: int) -> None:
        self._armed.pop(user_id, None)

    def next(self, user_id: int) -> OrderFault | None:
        """What happens to the order at hand."""
        armed = self._armed.get(user_id)
        return armed.popleft() if armed else None


def refuse(fault: OrderFault | None) -> None:
    """Raises Refused when the order must not be booked."""
    if isinstance(fault, RejectOrder):
        raise Refused(fault.status, fault.message)
