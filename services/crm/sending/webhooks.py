"""Works off the queue of posts: each until it is taken, for about two days, under one id and with a fresh signature."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter

from libs.bus import Bus, BusError
from libs.contracts import subjects
from libs.contracts.alerts import Alert, Severity
from libs.contracts.clock import Clock
from libs.contracts.ids import derived_id, new_id
from libs.store import StoreError
from libs.store.crm.webhooks import ClaimedPost, Webhooks
from services.crm.keys import BadSeal, Keys
from services.crm.sending.channel import wait_until
from services.crm.sending.outside import NoAnswer, NotAllowed, Outside
from services.crm.sending.signature import signed_headers

log = structlog.get_logger()

_MOST = 50
"""Posts under way at once, by one process; of one webhook the database gives out no more than ten."""
_LEASE = 60.0
"""Seconds until a post whose sender died is another's; its receiver knows the id."""
_IDLE, _AFTER_A_FAILURE = 1.0, 2.0
_BACKOFF = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 86400.0)
"""Seconds before the second, third, … try; after the last it has failed."""
_JITTER = 0.2
_PATIENCE = 5 * 86400.0
"""Seconds after which a webhook that takes nothing is disabled."""
_GONE = 410
_KEPT, _PRUNED_EVERY = 90 * 86400.0, 3600.0
"""Seconds that what became of posts is known."""

_posts = Counter("pregao_crm_webhook_posts_total", "What became of posts to webhooks", ["outcome"])


def sealed_for(webhook: UUID | str) -> str:
    """What a webhook's secret is sealed for."""
    return f"webhook {webhook}"


class WebhookSender:
    """Any number of them may run."""

    def __init__(self, webhooks: Webhooks, outside: Outside, keys: Keys, bus: Bus, chance: random.Random) -> None:
        self._webhooks = webhooks
        self._outside = outside
        self._keys = keys
        self._bus = bus
        self._chance = chance
        self._news = asyncio.Event()
        self._pruned = -_PRUNED_EVERY
        self._free = _MOST

    def nudge(self) -> None:
        """Something may have been queued."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as under_way:
            while True:
                wait, claim = _IDLE, UUID(new_id())
                try:
                    await self._prune()
                    posts = await self._webhooks.claim(claim, self._free, _LEASE) if self._free else []
                except StoreError as error:
                    log.warning("posts_wait", error=str(error))
                    posts, wait = [], _AFTER_A_FAILURE
                self._free -= len(posts)
                for post in posts:
                    under_way.create_task(self._work(claim, post))
                await wait_until(self._news, wait)

    async def _prune(self) -> None:
        now = self._bus.clock.monotonic()
        if now - self._pruned >= _PRUNED_EVERY:
            self._pruned = now
            await self._webhooks.prune(_KEPT)

    async def _work(self, claim: UUID, post: ClaimedPost) -> None:
        try:
            await self._hand_over(claim, post)
        except StoreError as error:  # it is posted once more when the lease ends
            log.warning("post_not_told", post=str(post.id), error=str(error))
        finally:
            self._free += 1
            self._news.set()

    async def _hand_over(self, claim: UUID, post: ClaimedPost) -> None:
        try:
            status = await self._post(post)
        except NotAllowed as error:
            await self._finish(claim, post, "failed", None, f"not allowed: {error}")
        except BadSeal:  # by this process, which may have older keys than others
            log.error("webhook_secret_not_readable", webhook=str(post.webhook_id))
            await self._again(claim, post, None, "its secret cannot be read")
        except NoAnswer as error:
            await self._again(claim, post, None, str(error))
        else:
            if 200 <= status < 300:
                await self._finish(claim, post, "sent", status, None)
            elif status == _GONE:
                await self._finish(claim, post, "failed", status, "gone", gone=True)
            else:
                await self._again(claim, post, status, f"answered {status}")

    async def _post(self, post: ClaimedPost) -> int:
        sealed = [post.secret, *([post.previous] if post.previous is not None else [])]
        secrets = [self._keys.open(sealed_for(post.webhook_id), each) for each in sealed]
        return await deliver(self._outside, self._bus.clock, post.url, secrets, str(post.id), post.payload)

    async def _again(self, claim: UUID, post: ClaimedPost, status: int | None, why: str) -> None:
        if post.attempts > len(_BACKOFF):
            await self._finish(claim, post, "failed", status, why)
            return
        after = _BACKOFF[post.attempts - 1] * self._chance.uniform(1, 1 + _JITTER)
        await self._finish(claim, post, "retry", status, why, after)

    async def _finish(
        self, claim: UUID, post: ClaimedPost, outcome: str, status: int | None, why: str | None, after: float = 0.0, *,
        gone: bool = False,
    ) -> None:  # fmt: skip
        _posts.labels(outcome).inc()
        disabled = await self._webhooks.finish(
            claim, post.id, outcome, status, why, after, gone=gone, patience=_PATIENCE
        )
        if disabled:
            await self._tell(post)

    async def _tell(self, post: ClaimedPost) -> None:
        log.error("webhook_disabled", webhook=str(post.webhook_id))
        alert = Alert(
            id=derived_id("webhook_disabled", str(post.id)),
            at=self._bus.clock.now(),
            severity=Severity.WARNING,
            service="crm",
            kind="webhook_disabled",
            message="A webhook takes nothing any more and was disabled",
            details={"webhook": str(post.webhook_id)},
        )
        try:
            await self._bus.append(subjects.alert(alert.severity), alert, id=alert.id)
        except BusError as error:
            log.warning("alert_not_told", alert=alert.id, error=str(error))


async def deliver(
    outside: Outside, clock: Clock, url: str, secrets: Sequence[str], id: str, payload: Mapping[str, object]
) -> int:
    """Post it, signed with each; the status of the answer. Raises NotAllowed, NoAnswer."""
    now = clock.now()
    body = msgspec.json.encode({"type": str(payload.get("type", "crm")), "timestamp": now, "data": payload})
    return (await outside.post(url, body, signed_headers(secrets, id, int(now.timestamp()), body))).status
