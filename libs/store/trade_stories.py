"""What the ledger knows of how one trade went: table `trade_history`."""

from datetime import datetime
from decimal import Decimal

import msgspec

from libs.contracts.account import AccountType
from libs.contracts.orders import TradeResult
from libs.store.database import Database
from libs.store.rows import read_rows

_TABLE = "trade_history"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Money in major units; None is what is not known."""

    id: int
    order_id: str
    user_id: str
    account_type: AccountType
    active_id: int
    ativo_nome: str
    direction: str
    valor: Decimal
    strategy_id: str | None
    confidence: int | None
    session_id: str | None
    """The bot run that decided it."""
    sequence: int | None
    correlation_id: str | None
    decided_at: datetime | None
    decided_quote: float | None
    acknowledged_at: datetime | None
    external_id: int | None
    data_abertura: datetime
    data_expiracao: datetime | None
    data_fechamento: datetime | None
    expiration_seconds: int
    open_quote: float | None
    close_quote: float | None
    payout: int | None
    resultado: TradeResult | None
    pnl: Decimal | None
    updated_at: datetime
    """Of a settled one, when its result was written."""


class TradeStories:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def story(self, id: int) -> Story | None:
        """Raises StoreError."""
        columns = ",".join(field.name for field in msgspec.structs.fields(Story))
        query = self._database.client.table(_TABLE).select(columns).eq("id", id).limit(1)
        return next(iter(read_rows(await self._database.execute(query, _TABLE), Story)), None)
