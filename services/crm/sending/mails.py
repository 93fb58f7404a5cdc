"""Works off the queue of mails: claims, writes, marks, hands over, says what became of it. In this order, so that a
process that dies in between leaves each mail either untouched, for others to send, or unknown; never sent twice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge, Histogram

from libs.contracts.clock import Clock
from libs.contracts.ids import new_id
from libs.store import StoreError, StoreUnavailable
from libs.store.crm.mails import ClaimedMail, Mails, Result
from services.crm.sending.channel import Channel, Outcome, Unwritable, wait_until
from services.crm.templates.versions import Versions

T = TypeVar("T")

log = structlog.get_logger()

_LOOPS = 2
"""One claims and writes while the other's mails are on their way."""
_MOST = 200
"""Mails in one claim."""
_LEASE = 60.0
"""Seconds until what was claimed and not handed over is another's, and what was being handed over is unknown; more than
a mail server takes for its answers."""
_IDLE, _AFTER_A_FAILURE = 0.5, 2.0
"""Seconds between two looks."""
_BACKOFF = (60.0, 300.0, 900.0, 3600.0, 7200.0, 14400.0, 14400.0, 28800.0)
"""Seconds before the second, third, … try; after the last, about a day later, it has failed."""
_BLAMELESS = 30.0
"""Seconds, likewise, while there is no server; however often."""
_HANDING = 55.0
"""Seconds for one mail, connection and all."""
_FIGURES_EVERY = 15.0

_mails = Counter("pregao_crm_mails_total", "What became of mails that were claimed", ["channel", "outcome"])
_handed = Histogram("pregao_crm_mail_seconds", "Time to hand over one mail", ["channel"])
_waiting = Gauge("pregao_crm_mails_waiting", "Mails that wait to be sent")
_late = Gauge("pregao_crm_mail_late_seconds", "How long the oldest mail has waited that is due")
_unknown = Gauge("pregao_crm_mails_unknown", "Mails of which nobody knows whether they were sent")


class _Ready(NamedTuple):
    mail: ClaimedMail
    hand_over: Callable[[], Awaitable[Outcome]]


class MailSender:
    """Any number of them may run."""

    def __init__(
        self,
        mails: Mails,
        versions: Versions,
        channels: Callable[[], Awaitable[Mapping[str, Channel]]],
        clock: Clock,
        told: Callable[[], None],
        pace: float,
        at_once: int,
        lease: float = _LEASE,
    ) -> None:
        """`channels()`: by name, as they are set up now; what goes by others waits. `told()`: there is something to
        publish. `pace`: seconds between two to one domain."""
        self._mails = mails
        self._versions = versions
        self._find_channels = channels
        self._clock = clock
        self._told = told
        self._pace = pace
        self._at_once = at_once
        self._lease = lease
        self._news = asyncio.Event()
        self._figured = -_FIGURES_EVERY
        self._stopping = False

    def nudge(self) -> None:
        """Something may have been queued."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled; what is being handed over then is waited for, and told."""
        await asyncio.gather(*(self._loop() for _ in range(_LOOPS)))

    async def _loop(self) -> None:
        while True:
            wait = _IDLE
            try:
                await self._figures()
                while await self._work():
                    pass
            except StoreError as error:
                log.warning("mails_wait", error=str(error))
                wait = _AFTER_A_FAILURE
            await wait_until(self._news, wait)

    async def _work(self) -> bool:
        """Whether there was something."""
        channels = await self._find_channels()
        claim = UUID(new_id())
        mails = await self._mails.claim(claim, _MOST, self._lease, self._pace, channels)
        if mails:
            working = asyncio.create_task(self._send(claim, mails))
            try:
                await asyncio.shield(working)
            except asyncio.CancelledError:
                self._stopping = True
                await asyncio.wait((working,), timeout=_HANDING)
                raise
        return bool(mails)

    async def _send(self, claim: UUID, mails: Sequence[ClaimedMail]) -> None:
        results: list[Result] = []
        for at in range(0, len(mails), self._at_once):
            channels = {} if self._stopping else await self._find_channels()
            if not channels:  # this process ends, or all sending was stopped
                results += [Result(id=mail.id, outcome="retry", blameless=True) for mail in mails[at:]]
                break
            ready = []
            for mail in mails[at : at + self._at_once]:
                prepared = await self._prepare(mail, channels.get(mail.channel))
                if isinstance(prepared, Outcome):
                    results.append(_result(mail, prepared))
                else:
                    ready.append(_Ready(mail, prepared))
            following = [one.mail.id for one in ready]
            allowed = await self._insist(partial(self._mails.hand_over, claim, results, following, self._lease))
            self._told()
            handed = [one for one in ready if one.mail.id in allowed]
            outcomes = await asyncio.gather(*(self._hand_over(one) for one in handed))
            results = [_result(one.mail, outcome) for one, outcome in zip(handed, outcomes, strict=True)]
        if late := await self._insist(partial(self._mails.finish, claim, results)):
            log.warning("results_too_late", number=late)
        self._told()

    async def _prepare(self, mail: ClaimedMail, channel: Channel | None) -> Callable[[], Awaitable[Outcome]] | Outcome:
        if channel is None:
            return Outcome("retry", "not_configured", blameless=True)
        compiled = await self._versions.find(mail.template_version_id)
        if compiled is None:
            return Outcome("failed", "not_ready")
        try:
            return channel.prepare(mail, compiled)
        except Unwritable as error:
            return Outcome("skipped" if str(error).startswith("missing") else "failed", str(error))
        except Exception:  # one that cannot be written does not keep the others
            log.exception("mail_not_written", mail=str(mail.id))
            return Outcome("failed", "it could not be written; the log says why")

    async def _hand_over(self, one: _Ready) -> Outcome:
        with _handed.labels(one.mail.channel).time():
            try:
                async with asyncio.timeout(_HANDING):
                    return await one.hand_over()
            except TimeoutError:
                return Outcome("unknown", "no answer: it took too long")
            except Exception:
                log.exception("mail_not_handed_over", mail=str(one.mail.id))
                return Outcome("unknown", "it failed; the log says why")

    async def _insist(self, tell: Callable[[], Awaitable[T]]) -> T:
        """Again while the database is away: it is the same however often it is told, and what is not told is unknown
        when the lease ends."""
        deadline = self._clock.monotonic() + self._lease
        while True:
            try:
                return await tell()
            except StoreUnavailable as error:
                if self._clock.monotonic() > deadline:
                    raise
                log.warning("results_wait", error=str(error))
            await asyncio.sleep(_AFTER_A_FAILURE)

    async def _figures(self) -> None:
        if self._clock.monotonic() - self._figured < _FIGURES_EVERY:
            return
        self._figured = self._clock.monotonic()
        figures = await self._mails.figures()
        _waiting.set(figures.waiting)
        _late.set(figures.late)
        _unknown.set(figures.unknown)


def _result(mail: ClaimedMail, outcome: Outcome) -> Result:
    kind, after = outcome.kind, 0.0
    if kind == "retry" and outcome.blameless:
        after = _BLAMELESS
    elif kind == "retry":
        tries = mail.attempts - mail.lapses
        if tries > len(_BACKOFF):
            kind = "failed"
        else:
            after = _BACKOFF[max(tries, 1) - 1]
    _mails.labels(mail.channel, kind).inc()
    if kind == "unknown":
        log.error("mail_unknown", mail=str(mail.id), error=outcome.error)
    return Result(
        id=mail.id,
        outcome=kind,
        error=outcome.error or None,
        after=after,
        bounced=outcome.bounced,
        blameless=kind == "retry" and outcome.blameless,
    )
