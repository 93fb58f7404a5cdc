"""Handlers of the CRM's endpoints."""

from libs.contracts.clock import Clock
from libs.contracts.rpc import CrmStats, ErrorCode, Nothing, RpcError
from libs.store import StoreUnavailable
from libs.store.people import People


class Stats:
    def __init__(self, people: People, clock: Clock) -> None:
        self._people = people
        self._clock = clock

    async def stats(self, _: Nothing) -> CrmStats:
        """Answers `rpc.crm.stats` with what the database counts now."""
        try:
            counts = await self._people.counts()
        except StoreUnavailable as error:
            raise RpcError(ErrorCode.UNAVAILABLE, "the database is not reachable") from error
        return CrmStats(at=self._clock.now(), contacts=counts.contacts, leads=counts.leads, customers=counts.customers)
