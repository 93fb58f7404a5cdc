"""When users were here, into the database."""

from libs.bus import Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import VISITS
from libs.contracts.visits import Seen, UsersSeen
from libs.store import StoreRefused, StoreUnavailable
from libs.store.visits import BATCH, Visits

CONSUMER = Consumer(VISITS.name, "analytics", batch=20, linger=0.2)


class VisitBook:
    def __init__(self, visits: Visits) -> None:
        self._visits = visits

    async def record(self, batch: list[Delivery]) -> None:
        """Raises Poison for what is no such message or is refused, Unavailable while the database is away."""
        seen: list[Seen] = [one for delivery in batch for one in delivery.decode(UsersSeen).seen]
        try:
            for start in range(0, len(seen), BATCH):
                await self._visits.record(seen[start : start + BATCH])
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error
