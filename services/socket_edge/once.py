"""What is asked again under the same `Idempotency-Key` is done once, and answered as it was the first time."""

import hmac
import re
from collections.abc import Awaitable, Callable
from hashlib import sha256

import structlog

from libs.bus import Bus, BusError, RevisionConflict
from libs.bus.topology import ANSWERS
from libs.contracts.codec import Message
from services.socket_edge.errors import ApiError, invalid

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TIME_TO_ANSWER = 60.0
"""Seconds after which a request without an answer was lost with the process that worked on it."""
_TRIES = 3

log = structlog.get_logger()


class Answer(Message, frozen=True, kw_only=True):
    status: int
    body: str


class Attempt(Message, frozen=True, kw_only=True):
    """Of a request under a key."""

    request: str
    """Digest of what was asked."""
    answer: Answer | None = None
    """None while it is worked on."""


class NotDone(Exception):
    """Nothing was changed."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Once:
    """Answers are kept for a day, also that nobody knows whether it was done. Only what was certainly not done may be
    made again."""

    def __init__(self, bus: Bus, secret: str) -> None:
        """`secret`: of all edges. Who reads the bucket must not be able to guess what was asked, such as a password."""
        self._attempts = bus.bucket(ANSWERS)
        self._secret = secret.encode()

    async def answer(self, who: str, key: str, request: bytes, act: Callable[[], Awaitable[Answer]]) -> Answer:
        """`request`: everything that makes it another one. `act()` raises NotDone for what was certainly not done.

        Raises ApiError: 400 for a key that is none, 409 while the first is worked on, or for as long as what became of
        it is not known, 422 for another request under the same key; BusError when that cannot be known.
        """
        if not _KEY.fullmatch(key):
            raise invalid(f"{HEADER}: Expected 1 to 255 printable characters", HEADER)
        name = sha256(f"{who}\n{key}".encode()).hexdigest()
        attempt = Attempt(request=hmac.digest(self._secret, request, "sha256").hex())
        for _ in range(_TRIES):
            try:
                revision = await self._attempts.create(name, attempt, ttl=_TIME_TO_ANSWER)
            except RevisionConflict:
                earlier = await self._attempts.get(name, Attempt)
                if earlier is not None:
                    return _repeated(earlier.value, attempt)
            else:
                return await self._first(name, attempt, revision, act)
        raise _in_progress()

    async def _first(self, name: str, attempt: Attempt, revision: int, act: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await act()
        except NotDone as refusal:
            await self._forget(name, revision)
            raise refusal.error from None
        await self._keep(name, Attempt(request=attempt.request, answer=answer), revision)
        return answer

    async def _keep(self, name: str, attempt: Attempt, revision: int) -> None:
        try:
            await self._attempts.update(name, attempt, revision)
        except (BusError, RevisionConflict) as error:
            log.warning("answer_not_kept", error=str(error))

    async def _forget(self, name: str, revision: int) -> None:
        try:
            await self._attempts.delete(name, revision)
        except (BusError, RevisionConflict) as error:
            log.warning("attempt_not_forgotten", error=str(error))


def _repeated(earlier: Attempt, attempt: Attempt) -> Answer:
    if earlier.request != attempt.request:
        raise ApiError(422, "IDEMPOTENCY_KEY_REUSED", f"This {HEADER} came with another request", field=HEADER)
    if earlier.answer is None:
        raise _in_progress()
    return earlier.answer


def _in_progress() -> ApiError:
    message = f"The first request with this {HEADER} is being worked on"
    return ApiError(409, "IN_PROGRESS", message, headers={"Retry-After": "1"})
