"""How often somebody may ask: so many requests a minute, at once or spread, however many edges they ask.

Who asks has a bucket of tokens in KV that refills evenly (as the generic cell rate algorithm counts, ITU-T I.371). An
edge takes tokens out some at a time and hands them to requests from memory: most requests cost nothing, and all edges
together never hand out more than there are.
"""

import asyncio
import math
import random
from collections import OrderedDict
from hashlib import sha256

import structlog
from prometheus_client import Counter

from libs.bus import Bus, BusError, RevisionConflict
from libs.bus.topology import RATES
from libs.contracts.clock import Clock
from libs.contracts.codec import Message
from services.socket_edge.errors import ApiError

WINDOW = 60.0
"""Seconds in which an empty bucket is full again."""

_PARTS = 20
"""An edge takes this part of a full bucket at once…"""
_KEPT = 5.0
"""…and for how many seconds it may hand it out."""
_WAIT = 0.5
"""Seconds that a request waits for KV; then this edge counts alone…"""
_ALONE = 5.0
"""…for so many seconds."""
_TRIES = 20
_TURN = 0.02
_MOST = 20_000
"""Buckets remembered."""

log = structlog.get_logger()

_refused = Counter("pregao_edge_rate_limited_total", "Requests refused because there were too many", ["rate", "by"])


class Spent(Message, frozen=True, kw_only=True):
    """A bucket."""

    until: float
    """Epoch seconds at which it will be full again."""


class Share:
    """What this edge may hand out of a bucket. Times are monotonic seconds, except `alone`."""

    def __init__(self) -> None:
        self.tokens = 0
        self.good_until = 0.0
        self.empty_until = 0.0
        """The bucket is empty till then."""
        self.alone = Spent(until=0.0)
        """The bucket, as far as this edge knows, while it counts alone."""
        self.lock = asyncio.Lock()

    def holds(self, now: float) -> bool:
        return bool(self.tokens) and now < self.good_until

    def take(self, now: float) -> bool:
        if not self.holds(now):
            return False
        self.tokens -= 1
        return True


class RateLimiter:
    """While KV does not answer each edge counts for itself: requests that are answered from memory still are."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._clock = clock
        self.now = clock.monotonic
        """As shares count: monotonic seconds."""
        self._buckets = bus.bucket(RATES, timeout=_WAIT)
        self._shares: OrderedDict[str, Share] = OrderedDict()
        self._chance = random.Random()  # noqa: S311 - so that edges take turns
        self._alone_until = 0.0
        """Monotonic seconds."""

    async def spend(self, rate: str, by: str, who: str, limit: int) -> None:
        """One request of `who` (a user or an address, which `by` says) under `limit` a minute.

        Raises ApiError 429 when there were too many.
        """
        key = _key(rate, by, who)
        share = self._share(key)
        if share.take(self._clock.monotonic()):
            return
        async with share.lock:
            now = self._clock.monotonic()
            if share.take(now):
                return
            if now >= share.empty_until:
                await self._refill(share, key, limit)
                if share.take(self._clock.monotonic()):
                    return
            _refused.labels(rate, by).inc()
            raise too_many(share.empty_until - now)

    def share(self, rate: str, by: str, who: str) -> Share:
        """What of a bucket this edge has. It may be forgotten here later: what it holds was taken out of the bucket."""
        return self._share(_key(rate, by, who))

    def _share(self, key: str) -> Share:
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = Share()
            if len(self._shares) > _MOST:
                self._shares.popitem(last=False)
        else:
            self._shares.move_to_end(key)
        return share

    async def _refill(self, share: Share, key: str, limit: int) -> None:
        wanted = max(1, limit // _PARTS)
        taken, wait = await self._take(share, key, limit, wanted)
        now = self._clock.monotonic()
        share.tokens, share.good_until, share.empty_until = taken, now + _KEPT, now + wait

    async def _take(self, share: Share, key: str, limit: int, wanted: int) -> tuple[int, float]:
        """Tokens out of the bucket and, if there are none, seconds until there is one."""
        if self._clock.monotonic() >= self._alone_until:
            try:
                for _ in range(_TRIES):
                    known = await self._buckets.get(key, Spent)
                    spent, taken, wait = self._after(known.value if known else None, limit, wanted)
                    try:
                        if taken and known is None:
                            await self._buckets.create(key, spent)
                        elif taken and known is not None:
                            await self._buckets.update(key, spent, known.revision)
                    except RevisionConflict:
                        await asyncio.sleep(self._chance.uniform(0, _TURN))
                        continue
                    return taken, wait
                return 0, _TURN
            except BusError as error:
                log.warning("rates_counted_alone", error=str(error))
            self._alone_until = self._clock.monotonic() + _ALONE
        share.alone, taken, wait = self._after(share.alone, limit, wanted)
        return taken, wait

    def _after(self, spent: Spent | None, limit: int, wanted: int) -> tuple[Spent, int, float]:
        """The bucket without what was taken, how much that is, and seconds until there is something if it is none."""
        now, each = self._clock.now().timestamp(), WINDOW / limit
        until = max(now, spent.until) if spent is not None else now
        there = int((now + WINDOW - until) / each + 1e-6)
        if there < 1:
            return Spent(until=until), 0, until + each - now - WINDOW
        taken = min(wanted, there)
        return Spent(until=until + taken * each), taken, 0.0


def _key(rate: str, by: str, who: str) -> str:
    return f"{rate}.{by}.{sha256(who.encode()).hexdigest()[:32]}"


def too_many(seconds: float) -> ApiError:
    return ApiError(
        429,
        "TOO_MANY_REQUESTS",
        "Too many requests. Please try again shortly.",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )
