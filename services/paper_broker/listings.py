"""Lists of underlyings and their changes: of digital options and of margin trading (quadcode-protocol §13.1, §16.1)."""

from collections.abc import Iterable
from typing import NamedTuple

from services.paper_broker import wire
from services.paper_broker.broker import Broker
from services.paper_broker.catalogue import Active
from services.paper_broker.epoch import DAY
from services.paper_broker.hours import sessions
from services.paper_broker.hub import Topic
from services.paper_broker.margin_instruments import MARGIN_KINDS, kind_of
from services.paper_broker.positions import InstrumentType
from services.paper_broker.topics import DIGITAL_UNDERLYINGS, MARGIN_UNDERLYINGS


class Listing(NamedTuple):
    instrument_type: InstrumentType
    event: str
    field: str
    """Of the list."""

    @property
    def topic(self) -> Topic:
        return Topic(self.event)

    def holds(self, active: Active) -> bool:
        """Every active is in the list of digital options and in that of one kind of margin trading."""
        return self.instrument_type in (InstrumentType.DIGITAL, kind_of(active).instrument_type)

    def shown(self, actives: Iterable[Active], now: int) -> dict[str, object]:
        """Those of the actives that it holds; `now` in epoch seconds."""
        records = [_record(active, now) for active in actives if self.holds(active)]
        return {"type": self.instrument_type, self.field: records}


def _record(active: Active, now: int) -> dict[str, object]:
    return {
        "active_id": active.id,
        "is_suspended": active.suspended,
        "name": active.ticker,
        "schedule": [{"open": each.opens, "close": each.closes} for each in sessions(active.hours, now)],
    }


DIGITAL = Listing(InstrumentType.DIGITAL, DIGITAL_UNDERLYINGS, "underlying")
MARGIN = {kind: Listing(kind, MARGIN_UNDERLYINGS[kind], "items") for kind in MARGIN_KINDS}


class ListingFeed:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._day = broker.now() // 1000 // DAY
        self._shown = self._states()

    def tick(self, second: int) -> None:
        """Those that were suspended or resumed, and every day all, for their schedules have moved on."""
        states, day = self._states(), second // DAY
        new_day = day > self._day
        changed = [
            active for active in self._broker.catalogue if new_day or self._shown.get(active.id) != states[active.id]
        ]
        self._shown, self._day = states, max(self._day, day)
        for listing in (DIGITAL, *MARGIN.values()):
            theirs = [active for active in changed if listing.holds(active)]
            if theirs:
                service, _, event = listing.event.partition(".")
                frame = wire.event(service, event, listing.shown(theirs, second))
                self._broker.hub.publish_listed(listing.topic, frame)

    def _states(self) -> dict[int, bool]:
        return {active.id: active.suspended for active in self._broker.catalogue}
