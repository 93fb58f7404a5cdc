"""Steps of campaigns: each is one transaction of the database, so that any process may die at any time."""

from collections.abc import Callable
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge, Histogram

from libs.contracts.clock import Clock
from libs.store import StoreRefused
from libs.store.crm.campaigns import Campaigns, Tended

log = structlog.get_logger()

_MOST = 1000
"""Recipients of one step: a pause waits for no more."""
_ENDED_LOOK = 15.0
"""Seconds between two looks at those that have ended, whose mails are opened and come back…"""
_ENDED = 3 * 86400.0
"""…for so many seconds."""
_GRACE = 6 * 3600.0
"""Seconds after its time in which a campaign still starts: later it is another day's news."""

_released = Counter("pregao_crm_campaign_recipients_total", "Recipients of campaigns whose turn came")
_running = Gauge("pregao_crm_campaigns_sending", "Campaigns that are being sent")
_idle = Gauge(
    "pregao_crm_campaign_idle_seconds", "How long, at most, a campaign has mails that are due and none was sent"
)
_seconds = Histogram("pregao_crm_campaign_step_seconds", "Time of one step of one campaign")


class Steps:
    """Any number of processes may take them: no more comes of it than of one."""

    def __init__(self, campaigns: Campaigns, clock: Clock, told: Callable[[], None], most: int = _MOST) -> None:
        """`told()`: there is something to publish. `most`: recipients of one step."""
        self._campaigns = campaigns
        self._clock = clock
        self._told = told
        self._most = most
        self._ended_looked = float("-inf")

    async def look(self) -> None:
        """At every campaign with something to do, until none has for now. Raises StoreUnavailable."""
        now = self._clock.monotonic()
        ended = now - self._ended_looked >= _ENDED_LOOK
        turn: list[UUID] = list(await self._campaigns.due(_ENDED if ended else 0.0))
        last: list[Tended] = []
        while turn:  # one step each, so that a large one does not keep the others
            taken = [(each, await self._step(each)) for each in turn]
            turn = [each for each, step in taken if step is not None and step.released >= self._most]
            last += [step for each, step in taken if step is not None and each not in turn]
            self._told()
        if ended:
            self._ended_looked = now
        sending = [step for step in last if step.status == "sending"]
        _running.set(len(sending))
        _idle.set(max((step.idle for step in sending), default=0.0))

    async def _step(self, campaign: UUID) -> Tended | None:
        try:
            with _seconds.time():
                step = await self._campaigns.tend(campaign, self._most, _GRACE)
        except StoreRefused as error:  # one that cannot go on does not keep the others
            log.error("campaign_refused", campaign=str(campaign), error=str(error))
            return None
        if step is not None:
            _released.inc(step.released)
        return step
