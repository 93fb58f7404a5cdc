"""NATS, as Pregão uses it: one connection per process, and the rules its pitfalls ask for in one place."""

from libs.bus.connection import Bus, Subscription
from libs.bus.consumer import Consumer, Consumption, Delivery
from libs.bus.context import request_id
from libs.bus.dead_letters import DeadLetter, DeadLetters, NotReplayed
from libs.bus.entry import Entry
from libs.bus.errors import BusError, BusUnavailable, Poison, RevisionConflict, Unavailable
from libs.bus.keyvalue import KeyValue
from libs.bus.lease import Lease
from libs.bus.members import Members
from libs.bus.mirror import Mirror
from libs.bus.past import Stored
from libs.bus.tail import Tail

__all__ = [
    "Bus",
    "BusError",
    "BusUnavailable",
    "Consumer",
    "Consumption",
    "DeadLetter",
    "DeadLetters",
    "Delivery",
    "Entry",
    "KeyValue",
    "Lease",
    "Members",
    "Mirror",
    "NotReplayed",
    "Poison",
    "RevisionConflict",
    "Stored",
    "Subscription",
    "Tail",
    "Unavailable",
    "request_id",
]
