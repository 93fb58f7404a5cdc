"""Telling a user's connections what happened to their positions and balances."""

import asyncio

from services.paper_broker.accounts import Accounts, Balance
from services.paper_broker.hub import Hub, Topic
from services.paper_broker.portfolio import record
from services.paper_broker.positions import Position
from services.paper_broker.topics import BALANCE, POSITION
from services.paper_broker.wire import event

EVENT_GAP = 0.05
"""Seconds between a reply and the events it causes: clients listen for them only when they have seen it."""


class Announcer:
    def __init__(self, hub: Hub, accounts: Accounts) -> None:
        self._hub = hub
        self._accounts = accounts

    def soon(self, position: Position) -> None:
        """A position that the reply of this moment is about."""
        asyncio.get_running_loop().call_later(EVENT_GAP, self.now, position)

    def now(self, position: Position) -> None:
        """The position as it is in the argument, the balance as it is in the database."""
        frame = event("portfolio", "position-changed", record(position))
        self._hub.publish(Topic(POSITION, (position.user_id,)), frame)
        balance = self._accounts.balance(position.user_id, position.balance_id)
        if balance is not None:
            self.balance(balance)

    def balance(self, balance: Balance) -> None:
        current = {
            "id": balance.id,
            "type": balance.type,
            "amount": balance.amount,
            "bonus_amount": 0,
            "currency": balance.currency,
        }
        frame = event("balances", "balance-changed", {"user_id": balance.user_id, "current_balance": current})
        self._hub.publish(Topic(BALANCE, (balance.user_id,)), frame)
