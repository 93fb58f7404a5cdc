"""Which positions a user wants valued every second (quadcode-protocol §14.6).

Kept per user, not per connection: clients do not register again after a reconnect.
"""

from typing import NamedTuple

VALID_SECONDS = 300
"""Clients renew every 60 s."""


class _Registration(NamedTuple):
    ids: frozenset[str]
    until: int


class Watch:
    def __init__(self) -> None:
        self._registrations: dict[int, _Registration] = {}

    def register(self, user_id: int, ids: frozenset[str], now: int) -> None:
        """Instead of what the user asked for before; `now` in epoch milliseconds."""
        self._registrations[user_id] = _Registration(ids, now + VALID_SECONDS * 1000)

    def ids(self, user_id: int, now: int) -> frozenset[str]:
        """Internal ids of positions."""
        registration = self._registrations.get(user_id)
        if registration is None:
            return frozenset()
        if registration.until <= now:
            del self._registrations[user_id]
            return frozenset()
        return registration.ids
