"""Requests about margin trading; each kind has a service of its own (quadcode-protocol §16)."""

import msgspec

from services.paper_broker.broker import Broker, Caller, Reply
from services.paper_broker.errors import invalid
from services.paper_broker.listings import MARGIN
from services.paper_broker.margin_instruments import MarginKind, instrument_record, kind_of, profile_record
from services.paper_broker.wire import Nothing


class InstrumentsQuery(msgspec.Struct, frozen=True):
    active_id: int


class MarginService:
    """The requests of one kind."""

    def __init__(self, kind: MarginKind) -> None:
        self._kind = kind

    def get_underlyings(self, broker: Broker, _: Caller, __: Nothing) -> Reply:
        """Changes of the list are told to a connection only when it has this reply (pitfall P1)."""
        listing = MARGIN[self._kind.instrument_type]
        return Reply("underlying-list", listing.shown(broker.catalogue, broker.now() // 1000), opens=listing.topic)

    def get_instruments(self, broker: Broker, _: Caller, query: InstrumentsQuery) -> Reply:
        active = broker.catalogue.get(query.active_id)
        if active is None or kind_of(active) is not self._kind:
            raise invalid("active_id", f"unknown underlying of margin {self._kind.name}")
        items = [instrument_record(active, broker.now() // 1000)]
        return Reply("instruments-list", {"items": items, "dynamic_leverage_profiles": [profile_record(self._kind)]})
