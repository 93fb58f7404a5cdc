"""What sends money is sent once, and what became of it is told by the error's class (quadcode-protocol §21)."""

from typing import TypeVar

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel
from libs.quadcode.errors import (
    ConnectionLost,
    OrderOutcomeUnknown,
    OrderRejected,
    RequestRefused,
    RequestTimeout,
    UnexpectedReply,
)
from libs.quadcode.frames import Result

B = TypeVar("B")
R = TypeVar("R")

_PLATFORM_FAULT = 5000
"""From this status on it is the platform that failed, not the request: it may have booked the order before."""


class Placed(Struct, frozen=True):
    id: int
    """The order's number, not the position's."""


class ClosePosition(Struct, frozen=True):
    position_id: int
    """The position's `external_id`."""


async def place(channel: Channel, call: Call[B, R], body: B, timeout: float | None = None) -> R:
    """Sent at most once, before anything is awaited.

    Raises NotConnected when it certainly was not sent, OrderRejected when the broker refused it, and
    OrderOutcomeUnknown when the answer is lost; it may be booked then and must never be sent again.
    """
    try:
        return await channel.request(call, body, timeout)
    except RequestRefused as refusal:
        if refusal.status >= _PLATFORM_FAULT:
            raise OrderOutcomeUnknown(str(refusal)) from refusal
        raise OrderRejected(refusal.status, refusal.message) from refusal
    except (ConnectionLost, RequestTimeout, UnexpectedReply) as error:
        raise OrderOutcomeUnknown(str(error)) from error


async def confirm(channel: Channel, call: Call[B, Result], body: B) -> None:
    """As `place`, for what is only acknowledged; an acknowledgement without success is an OrderRejected."""
    result = await place(channel, call, body)
    if not result.success:
        raise OrderRejected(0, result.reason)
