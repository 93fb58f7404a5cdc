"""What was seen of mails goes from the stream to the database, in batches."""

from collections.abc import Callable

from prometheus_client import Counter

from libs.bus import Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import CRM_SEEN
from libs.contracts.crm.tracking import Seen as SeenMail
from libs.store import StoreRefused, StoreUnavailable
from libs.store.crm.tracking import Tracking

CONSUMER = Consumer(CRM_SEEN.name, "crm-seen", batch=200, linger=0.2)

_seen = Counter("pregao_crm_mails_seen_total", "Mails that were opened and links that were clicked", ["kind", "by"])


class Seen:
    def __init__(self, tracking: Tracking, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._tracking = tracking
        self._told = told

    async def follow(self, batch: list[Delivery]) -> None:
        events = [delivery.decode(SeenMail) for delivery in batch]
        try:
            if await self._tracking.record(events):
                self._told()
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error
        for event in events:
            _seen.labels(event.kind, "machine" if event.machine else "person").inc()
