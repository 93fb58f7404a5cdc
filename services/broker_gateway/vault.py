"""Session ids at rest: as good as the user's password, so the bus only ever holds them encrypted.

AES-256-GCM (NIST SP 800-38D) with a fresh nonce per write and the broker user id as associated data: what is stored for
one user cannot be passed off as another's.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.bus import Bus, BusError, Entry, RevisionConflict
from libs.bus.topology import SESSIONS
from libs.contracts.codec import Message, decode, encode

log = structlog.get_logger()

KEY_BYTES = 32
_NONCE_BYTES = 12


class IssuedSession(Message, frozen=True, kw_only=True):
    """A session id and when the broker gave it."""

    ssid: str
    issued_at: datetime


class SealedSession(Message, frozen=True, kw_only=True):
    """What the bucket holds under a broker user id."""

    nonce: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class KeptSession:
    """That there is a session id, and since when."""

    broker_user_id: str
    stored_at: datetime
    revision: int


def seal(session: IssuedSession, broker_user_id: str, key: bytes) -> SealedSession:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return SealedSession(nonce=nonce, sealed=AESGCM(key).encrypt(nonce, encode(session), broker_user_id.encode()))


def unseal(sealed: SealedSession, broker_user_id: str, keys: Sequence[bytes]) -> IssuedSession | None:
    """None when none of the keys opens it."""
    for key in keys:
        try:
            data = AESGCM(key).decrypt(sealed.nonce, sealed.sealed, broker_user_id.encode())
        except (InvalidTag, ValueError):
            continue
        return decode(data, IssuedSession)
    return None


class Vault:
    """A cache that outlives the process. When it cannot be read or written, ids are asked for anew: nothing fails."""

    def __init__(self, bus: Bus, keys: Sequence[bytes], validity: float) -> None:
        """The first key seals, all of them open; entries vanish after `validity` seconds."""
        self._bus = bus
        self._bucket = bus.bucket(SESSIONS)
        self._keys = keys
        self._validity = validity

    async def read(self, broker_user_id: str) -> IssuedSession | None:
        try:
            entry = await self._bucket.get(broker_user_id, SealedSession)
        except (BusError, msgspec.DecodeError) as error:
            log.warning("stored_session_not_readable", broker_user_id=broker_user_id, error=str(error))
            return None
        return None if entry is None else self._open(broker_user_id, entry.value)

    async def follow(self, concerns: Callable[[str], bool], stored: Callable[[str, IssuedSession], None]) -> None:
        """`stored` is told of whatever any gateway stores from now on, of broker users that it `concerns`."""

        def hear(broker_user_id: str, entry: Entry[SealedSession] | None) -> None:
            if entry is None or not concerns(broker_user_id):
                return
            session = self._open(broker_user_id, entry.value)
            if session is not None:
                stored(broker_user_id, session)

        await self._bus.mirror(SESSIONS, "*", SealedSession, hear)

    def _open(self, broker_user_id: str, sealed: SealedSession) -> IssuedSession | None:
        session = unseal(sealed, broker_user_id, self._keys)
        if session is None:
            log.warning("stored_session_not_ours", broker_user_id=broker_user_id)
        return session

    async def write(self, broker_user_id: str, session: IssuedSession) -> None:
        sealed = seal(session, broker_user_id, self._keys[0])
        try:
            await self._bucket.put(broker_user_id, sealed, ttl=max(1.0, self._validity))
        except BusError as error:
            log.warning("session_not_stored", broker_user_id=broker_user_id, error=str(error))

    async def kept(self, broker_user_id: str = "*") -> list[KeptSession]:
        """What is stored, of one broker user or of all, the oldest first; nothing is decrypted. Raises BusError."""
        entries = await self._bucket.entries(broker_user_id, SealedSession)
        kept = [KeptSession(entry.key, datetime.fromtimestamp(entry.stored, UTC), entry.revision) for entry in entries]
        return sorted(kept, key=lambda session: session.revision)

    async def drop(self, session: KeptSession) -> bool:
        """False when another one has taken its place. Raises BusError."""
        try:
            await self._bucket.delete(session.broker_user_id, session.revision)
        except RevisionConflict:
            return False
        return True
