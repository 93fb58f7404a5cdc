"""Table `bot_status`: one row per user, which the clients read (api-contract §9.2)."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from libs.contracts.account import AccountChoice, AccountType, Balances, SessionState, SessionStatus
from libs.contracts.bots import BotState, BotStatus, shown
from libs.store.database import Database

BATCH = 500


class UserState(msgspec.Struct, frozen=True):
    """What is known of one user now; None where nothing is."""

    user: str
    session: SessionStatus | None
    balances: Balances | None
    bots: tuple[BotStatus, ...]
    choice: AccountChoice | None = None


class _Row(msgspec.Struct, kw_only=True):
    """Two groups of columns, each written only if its `*_at` is not older than what the table holds."""

    user_id: str
    is_connected: bool | None = None
    broker_balance: Decimal | None = None
    balance_account: AccountType | None = None
    """Of which account the balance is; None where none was told."""
    connection_type: str | None = None
    ssid: str | None = None
    account_at: datetime | None = None
    bot_running: bool | None = None
    bot_pid: int | None = None
    session_active: bool | None = None
    status: str | None = None
    account_type: str | None = None
    last_heartbeat: datetime | None = None
    bot_at: datetime | None = None


class BotStatuses:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, states: Iterable[UserState]) -> None:
        """One state per user, at most `BATCH`."""
        rows = [msgspec.to_builtins(_row(state)) for state in states]
        if rows:
            await self._database.call("record_bot_status", rows=rows)


def _row(state: UserState) -> _Row:
    row = _Row(user_id=state.user)
    bot, choice = shown(state.bots), state.choice
    account_type = _account_type(bot, choice)
    if state.session is not None:
        balance = state.balances.of(account_type) if state.balances else None
        connected = state.session.state is SessionState.CONNECTED
        row.is_connected = connected
        row.broker_balance = balance.amount if balance else Decimal(0)
        row.balance_account = balance.type if balance else None
        row.connection_type = "websocket" if connected else None
        row.ssid = handle(state.user) if connected else None
        row.account_at = max(state.session.at, state.balances.at) if state.balances else state.session.at
    if bot is not None:
        row.bot_running = bot.state.alive
        row.bot_pid = bot.number if bot.state.alive else None
        row.session_active = bot.state is BotState.RUNNING
        row.status = bot.label
        # When one stops another may be shown, which said its last word long ago.
        row.last_heartbeat = row.bot_at = max(each.at for each in state.bots)
    elif choice is not None:
        row.bot_running = row.session_active = False
    if choice is not None:
        row.bot_at = max(choice.at, row.bot_at) if row.bot_at is not None else choice.at
    if row.bot_at is not None:
        row.account_type = account_type
    return row


def _account_type(bot: BotStatus | None, choice: AccountChoice | None) -> AccountType:
    """Of the bot that runs, else the one that the user chose, else of the last run."""
    if choice is not None and (bot is None or not bot.state.alive):
        return choice.account_type
    return bot.config.account_type if bot is not None else AccountType.DEMO


def handle(user: str) -> str:
    """The client only asks whether there is one, and posts it back; it opens nothing."""
    return "handle-" + hashlib.sha256(f"bot_status.ssid {user}".encode()).hexdigest()[:16]
