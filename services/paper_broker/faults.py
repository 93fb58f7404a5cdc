"""Misbehaviour on demand, so that clients can be shown to survive it.

Every kind is a struct. Whatever a fault does to what is told, the books are right.
Seconds are the platform's, which may be fast.
"""

from collections import defaultdict
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from services.paper_broker.errors import Refused, Status, invalid
from services.paper_broker.positions import Position
from services.paper_broker.stakes import INSUFFICIENT_FUNDS

Seconds = Annotated[float, Meta(ge=0, le=600)]
MAX_ARMED = 1000
"""Of one user at a time."""
Count = Annotated[int, Meta(ge=1, le=MAX_ARMED)]
User = Annotated[int, Meta(ge=1, le=2**63 - 1)]
EventName = Literal["position-changed", "balance-changed", "order-changed"]

_MARGIN_ORDERS = ("market", "stop", "limit")
PURCHASES = (
    "binary-options.open-option",
    "digital-options.place-digital-option",
    *(f"marginal-{kind}.place-{sort}-order" for kind in ("forex", "cfd", "crypto") for sort in _MARGIN_ORDERS),
)
"""Requests that a fault of requests meets when it names none."""


class _Kind(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    pass


class _OfUser(_Kind, frozen=True, kw_only=True):
    user: User


class _Counted(_OfUser, frozen=True, kw_only=True):
    count: Count = 1


class _OfRequest(_Counted, frozen=True, kw_only=True):
    request: str = ""
    """Name of the requests it meets, e.g. `portfolio.get-positions`; orders without one."""

    def meets(self, name: str) -> bool:
        return name == self.request if self.request else name in PURCHASES


class DelayReply(_OfRequest, frozen=True, tag="delay-reply"):
    """The next orders are booked at once, their events follow at once, their replies come late."""

    seconds: Seconds


class SwallowReply(_OfRequest, frozen=True, tag="swallow-reply"):
    """The next orders are booked and their replies never come."""


class DropBeforeReply(_OfRequest, frozen=True, tag="drop-before-reply"):
    """The next orders are booked, and then all connections of the user end before the reply."""


class RejectOrder(_OfRequest, frozen=True, tag="reject-order"):
    """The next orders are refused and nothing is booked."""

    status: Annotated[int, Meta(ge=4000, le=5999)] = Status.NOT_ON_OFFER
    message: str = "Rejected."


class InsufficientFundsOnce(_OfRequest, frozen=True, tag="insufficient-funds"):
    """The next orders are refused as if the balance could not pay them."""


class TooLate(_OfRequest, frozen=True, tag="too-late"):
    """The next orders are refused as if the time to buy were over."""


class HideDigitalPosition(_Counted, frozen=True, tag="hide-digital-position"):
    """Positions of the next digital orders are in no list and cannot be looked up for a while; their events come."""

    seconds: Seconds


class DuplicateEvent(_Counted, frozen=True, tag="duplicate-event"):
    """The next events come twice."""

    event: EventName = "position-changed"


class ReorderEvents(_Counted, frozen=True, tag="reorder-events"):
    """The next event changes places with the one of its name that follows within `seconds`."""

    event: EventName = "position-changed"
    seconds: Annotated[float, Meta(gt=0, le=600)] = 10


class SwallowEvent(_Counted, frozen=True, tag="swallow-event"):
    """The next events never come."""

    event: EventName = "position-changed"


class WithholdResult(_Counted, frozen=True, tag="withhold-result"):
    """The next positions to close do so in the books and no event says so; history shows them after `seconds`."""

    seconds: Seconds = 0


class RefuseLogin(_Counted, frozen=True, tag="refuse-login"):
    """The next `authenticate` with a valid session id is answered by false."""


class FailSessionRequest(_Counted, frozen=True, tag="fail-session-request"):
    """The next `POST /sessions/{user}` is answered by this HTTP status."""

    status: Literal[429, 500, 502, 503] = 500


class HangSessionRequest(_Counted, frozen=True, tag="hang-session-request"):
    """The next `POST /sessions/{user}` is not answered for so long, and then by 503."""

    seconds: Seconds


class DropConnections(_OfUser, frozen=True, tag="drop-connections"):
    """All connections of the user end, now or in so many seconds."""

    seconds: Seconds = 0


class StallConnections(_OfUser, frozen=True, tag="stall-connections"):
    """Nothing is read from or written to the connections that the user has now; afterwards what has filled up is.

    From about 15 s on, unanswered pings may end them.
    """

    seconds: Seconds


class ExpireSession(_OfUser, frozen=True, tag="expire-session"):
    """All session ids of the user become invalid and all connections end now."""


class SuspendActive(_Kind, frozen=True, kw_only=True, tag="suspend-active"):
    """Nothing of this active is sold until the fault is forgotten, or the broker restarts."""

    active: int


class FreezeMarket(_Kind, frozen=True, kw_only=True, tag="freeze-market"):
    """The price of this active, of all without one, stands still until the fault is forgotten, whatever restarts."""

    active: int | None = None


RequestFault = DelayReply | SwallowReply | DropBeforeReply | RejectOrder | InsufficientFundsOnce | TooLate
EventFault = DuplicateEvent | ReorderEvents | SwallowEvent
ArmedFault = (
    RequestFault
    | EventFault
    | HideDigitalPosition
    | WithholdResult
    | RefuseLogin
    | FailSessionRequest
    | HangSessionRequest
)
"""They wait for what they meet, `count` times."""
Fault = ArmedFault | DropConnections | StallConnections | ExpireSession | SuspendActive | FreezeMarket

Kind = TypeVar("Kind", bound=ArmedFault)


class Faults:
    """What was asked for and has not happened yet."""

    def __init__(self) -> None:
        self._armed: defaultdict[int, list[ArmedFault | DropConnections]] = defaultdict(list)
        self._hidden: dict[int, int] = {}
        """Until which epoch millisecond positions are hidden, by external id."""

    def arm(self, fault: ArmedFault | DropConnections) -> None:
        """For the user's next requests, events or log-ins, after what was armed before. Raises Refused: too many."""
        count = 1 if isinstance(fault, DropConnections) else fault.count
        if len(self._armed[fault.user]) + count > MAX_ARMED:
            raise invalid("count", f"a user has at most {MAX_ARMED} armed at a time")
        self._armed[fault.user].extend([fault] * count)

    def armed(self, user_id: int) -> list[ArmedFault | DropConnections]:
        """One entry for each time that one will happen."""
        return list(self._armed.get(user_id, ()))

    def disarm(self, user_id: int) -> None:
        self._armed.pop(user_id, None)

    def due(self, fault: DropConnections) -> bool:
        """Whether one that was to happen at this time has not been forgotten; then it is no longer armed."""
        if fault not in self._armed.get(fault.user, ()):
            return False
        self._armed[fault.user].remove(fault)
        return True

    def request(self, user_id: int, name: str) -> RequestFault | None:
        """What happens to a request of that name."""
        for fault in self._armed.get(user_id, ()):
            if isinstance(fault, RequestFault) and fault.meets(name):
                self._armed[user_id].remove(fault)
                return fault
        return None

    def event(self, user_id: int, name: str) -> EventFault | None:
        """What happens to an event of that name."""
        for fault in self._armed.get(user_id, ()):
            if isinstance(fault, EventFault) and fault.event == name:
                self._armed[user_id].remove(fault)
                return fault
        return None

    def take(self, user_id: int, kind: type[Kind]) -> Kind | None:
        """The next one of a kind that is not about requests or events."""
        for fault in self._armed.get(user_id, ()):
            if isinstance(fault, kind):
                self._armed[user_id].remove(fault)
                return fault
        return None

    def withheld(self, position: Position) -> bool:
        """Whether nobody is told that a position has closed."""
        fault = self.take(position.user_id, WithholdResult)
        if fault is not None and position.closing is not None:
            self._hide(position.external_id, position.closing.time, fault.seconds)
        return fault is not None

    def opened_digital(self, position: Position) -> None:
        fault = self.take(position.user_id, HideDigitalPosition)
        if fault is not None:
            self._hide(position.external_id, position.open_time, fault.seconds)

    def hidden(self, now: int) -> set[int]:
        """External ids of what neither lists nor look-ups show; `now` in epoch milliseconds."""
        return {each for each, until in self._hidden.items() if until > now}

    def _hide(self, external_id: int, now: int, seconds: float) -> None:
        self._hidden = {each: until for each, until in self._hidden.items() if until > now}
        self._hidden[external_id] = now + round(seconds * 1000)


def refuse(fault: RequestFault | None) -> None:
    """Raises Refused when the request must not be carried out."""
    match fault:
        case RejectOrder():
            raise Refused(fault.status, fault.message)
        case InsufficientFundsOnce():
            raise Refused(Status.INSUFFICIENT_FUNDS, INSUFFICIENT_FUNDS)
        case TooLate():
            raise Refused(Status.TOO_LATE, "The time to buy this expiration is over.")
