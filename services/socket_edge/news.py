"""What is told to a user's sockets, before and after it is put in order."""

from dataclasses import dataclass
from enum import IntEnum

from services.socket_edge.emissions import Emission
from services.socket_edge.payloads import Event


class Step(IntEnum):
    """What a closed trade is told by, in this order."""

    TRADE = 0
    SCORE = 1
    RESULT = 2


@dataclass(frozen=True, slots=True)
class News:
    """Events to emit together. `order_id` and `step` are set for what belongs to the close of a trade."""

    events: tuple[tuple[Emission, Event], ...]
    order_id: str = ""
    step: Step = Step.TRADE
    number: int = 0
    """Of the stored message it came from."""
