"""Logging in with an e-mail address and a password."""

import asyncio

from services.paper_broker.accounts import Accounts
from services.paper_broker.passwords import matches


class LogIn:
    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def user(self, email: str, password: str) -> int | None:
        """Whose they are; None when there is no such user or the password is another."""
        user_id, digest = self._accounts.identified(email) or (None, None)
        right = await asyncio.to_thread(matches, password, digest)
        return user_id if right else None
