"""What is told to a user's sockets, before and after it is put in order."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from libs.contracts.codec import Message


class Event(Message, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    timestamp: datetime
    seq: int = 0
    """Grows with every event of a user; a lower one than the last seen is old."""


class Step(IntEnum):
    """What a closed trade is told by, in this order."""

    TRADE = 0
    SCORE = 1
    RESULT = 2


@dataclass(frozen=True, slots=True)
class News:
    """Events to emit together. `order_id` and `step` are set for what belongs to the close of a trade."""

    events: tuple[tuple[str, Event], ...]
    order_id: str = ""
    step: Step = Step.TRADE
