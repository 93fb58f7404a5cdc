"""Session ids and access tokens: what a client authenticates with. Only their digests are stored."""

from collections.abc import Iterable
from hashlib import sha256
from secrets import token_hex
from typing import NamedTuple

from libs.contracts.clock import Clock
from services.paper_broker.epoch import milliseconds
from services.paper_broker.storage import Storage

NEVER = 2**62
"""Epoch milliseconds at which a token of the file of accounts expires."""


class Session(NamedTuple):
    user_id: int
    expires_at: int
    """Epoch milliseconds."""


class Sessions:
    def __init__(self, storage: Storage, lifetime: int, clock: Clock) -> None:
        """`lifetime` in seconds."""
        self._storage = storage
        self._lifetime = lifetime * 1000
        self._clock = clock

    def create(self, user_id: int, lifetime: int | None = None) -> str:
        """A new session id of an existing user, good for the usual time or so many seconds; those before stay valid."""
        ssid, now = token_hex(16), milliseconds(self._clock)
        with self._storage.transaction():
            self._storage.change("DELETE FROM sessions WHERE expires_at <= ?", now)
            self._storage.change(
                "INSERT INTO sessions (digest, user_id, expires_at) VALUES (?, ?, ?)",
                *(_digest(ssid), user_id, now + (self._lifetime if lifetime is None else lifetime * 1000)),
            )
        return ssid

    def find(self, ssid: str) -> Session | None:
        """None when it is unknown or has expired."""
        row = self._storage.row("SELECT user_id, expires_at FROM sessions WHERE digest = ?", _digest(ssid))
        if row is None or row["expires_at"] <= milliseconds(self._clock):
            return None
        return Session(row["user_id"], row["expires_at"])

    def seed(self, tokens: Iterable[tuple[str, int]]) -> None:
        """Tokens with the user of each: valid without an end, in place of all that were seeded before."""
        with self._storage.transaction():
            self._storage.change("DELETE FROM sessions WHERE seeded = 1")
            for token, user_id in tokens:
                self._storage.change(
                    "INSERT OR REPLACE INTO sessions (digest, user_id, expires_at, seeded) VALUES (?, ?, ?, 1)",
                    *(_digest(token), user_id, NEVER),
                )

    def expire(self, user_id: int) -> None:
        """End all sessions of a user."""
        with self._storage.transaction():
            self._storage.change("DELETE FROM sessions WHERE user_id = ?", user_id)


def _digest(ssid: str) -> bytes:
    return sha256(ssid.encode()).digest()
