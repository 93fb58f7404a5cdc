"""Trades as administrators look for them (api-contract §4.8, §5.9, §5.11–5.13)."""

from typing import Any

from libs.bus.rpc import Handler
from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import OfTrade, Rows, TradesOfUser, TradesQuery, TradesWanted
from libs.contracts.admin_rows import TradeDetails, TradeListItem, TradeStats, UserTrade
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store.cursors import BadCursor
from libs.store.people import People
from libs.store.trade_lists import DetailedTrade, Filter, Order, Trade, TradeLists, cursor_of, position_of
from services.analytics.answering import accounts_of, answering


class TradeDesk:
    """Raises RpcError: INVALID_REQUEST for a cursor that is none, NOT_FOUND."""

    def __init__(self, trades: TradeLists, people: People) -> None:
        self._trades = trades
        self._people = people

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering(
            {
                rpc.TRADES: self.trades,
                rpc.TRADE: self.trade,
                rpc.TRADE_STATS: self.stats,
                rpc.USER_TRADES: self.of_user,
            }
        )

    async def trades(self, query: TradesQuery) -> Rows[TradeListItem]:
        wanted = filter_of(query)
        order = Order(by=query.sort_by, ascending=query.sort_order == "asc")
        try:
            after = position_of(query.cursor, order) if query.cursor else None
        except BadCursor as error:
            raise RpcError(ErrorCode.INVALID_REQUEST, "`cursor`: Expected the `next` of another page") from error
        offset = 0 if after is not None else query.offset
        found = await self._trades.find(wanted, order, query.limit + 1, offset, after)
        rows, more = found[: query.limit], len(found) > query.limit
        total = (await self._trades.sum(wanted)).trades
        return Rows(rows=tuple(map(item_of, rows)), total=total, next=cursor_of(rows[-1]) if more else "")

    async def trade(self, query: OfTrade) -> TradeDetails:
        trade = await self._trades.trade(query.id)
        if trade is None:
            raise RpcError(ErrorCode.NOT_FOUND, "Trade not found")
        return details_of(trade)

    async def stats(self, query: TradesQuery) -> TradeStats:
        sums = await self._trades.sum(filter_of(query))
        return TradeStats(
            win=sums.wins, loss=sums.losses, tie=sums.ties, total=sums.decided, win_rate=sums.win_rate,
            total_pnl=sums.pnl, total_volume=sums.volume, avg_pnl=sums.mean_pnl,
        )  # fmt: skip

    async def of_user(self, query: TradesOfUser) -> Rows[UserTrade]:
        """The newest first."""
        if await self._people.profile(str(query.id)) is None:
            raise RpcError(ErrorCode.NOT_FOUND, "User not found")
        wanted = Filter(
            accounts=accounts_of(query.account_type),
            user=query.id,
            result=query.resultado,
            first=query.first,
            last=query.last,
        )
        found = await self._trades.find(wanted, Order(), query.limit, query.offset)
        return Rows(
            rows=tuple(UserTrade(**_fields(trade)) for trade in found), total=(await self._trades.sum(wanted)).trades
        )


def filter_of(query: TradesWanted) -> Filter:
    return Filter(
        accounts=accounts_of(query.account_type),
        user=query.user_id,
        asset=query.asset or None,
        result=query.resultado,
        strategy=query.strategy or None,
        seconds=query.timeframe,
        min_payout=query.min_payout,
        max_payout=query.max_payout,
        first=query.first,
        last=query.last,
    )


def item_of(trade: Trade) -> TradeListItem:
    return TradeListItem(**_fields(trade), user_id=trade.user_id, user_email=trade.email)


def details_of(trade: DetailedTrade) -> TradeDetails:
    return TradeDetails(
        **_fields(trade),
        user_id=trade.user_id,
        user_email=trade.email,
        bot_mode=trade.bot_mode,
        balance_before=trade.balance_before,
        balance_after=trade.balance_after,
    )


def _fields(trade: Trade) -> dict[str, Any]:
    """Of every kind of row."""
    return {
        "trade_id": str(trade.id),
        "account_type": trade.account_type,
        "ativo": trade.ativo_nome,
        "valor": trade.valor,
        "pnl": trade.pnl,
        "resultado": trade.resultado,
        "direcao": trade.direction.upper(),
        "data_abertura": trade.data_abertura,
        "data_fechamento": trade.closed_at,
        "duracao_segundos": trade.seconds_open,
    }
