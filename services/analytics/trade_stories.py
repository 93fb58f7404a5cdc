"""How a trade came about, step by step, and the market around it (api-contract §4.8). Only what was recorded is told: a
step of which nobody knows when it was is left out."""

from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from libs.bus import Bus
from libs.bus.rpc import Handler
from libs.bus.topology import BOTS, ORDERS
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys
from libs.contracts.admin import OfTrade, Rows
from libs.contracts.admin_rows import TimelineStep
from libs.contracts.bots import BotSignal, Signal
from libs.contracts.ids import BotId
from libs.contracts.market import Candle
from libs.contracts.orders import OrderRecord
from libs.contracts.rpc import CANDLES, CandleQuery, Endpoint, ErrorCode, RpcError
from libs.contracts.trade_context import FollowedSignal, FollowedStrategy, Market, TradeContext, Trader
from libs.store.trade_lists import TradeLists
from libs.store.trade_stories import Story, TradeStories
from services.analytics.answering import answering
from services.analytics.indicators import indicators_at
from services.analytics.trade_desk import details_of

_SIZES = (60, 300, 900, 3600, 14400, 86400)
_MOST = 1000
"""Candles that the broker's history is asked for at once, counted back from now."""
_BEFORE, _AFTER = 60, 5
"""Candles that are told around a trade."""
_PATIENCE = 3.0
_DIRECTIONS: dict[str, Literal["CALL", "PUT"]] = {"call": "CALL", "put": "PUT"}

Kind = Literal["signal", "order", "open", "update", "close", "settle"]

log = structlog.get_logger()


class Stories:
    """Raises RpcError: NOT_FOUND."""

    def __init__(self, bus: Bus, stories: TradeStories, trades: TradeLists) -> None:
        self._bus = bus
        self._orders = bus.bucket(ORDERS)
        self._bots = bus.bucket(BOTS)
        self._stories = stories
        self._trades = trades

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering({rpc.TRADE_CONTEXT: self.context, rpc.TRADE_TIMELINE: self.timeline})

    async def context(self, query: OfTrade) -> TradeContext:
        """Without candles while the broker's history cannot be read."""
        story, trade = await self._story(query), await self._trades.trade(query.id)
        if trade is None:
            raise RpcError(ErrorCode.NOT_FOUND, "Trade not found")
        candles, signal = await self._candles(story), await self._signal(story)
        decided = (story.decided_at or story.data_abertura).timestamp()
        return TradeContext(
            trade=details_of(trade),
            market=Market(
                candles=candles, indicators=indicators_at([candle for candle in candles if candle.end <= decided])
            ),
            strategy=FollowedStrategy(id=story.strategy_id or "", signal=_followed(story, signal)),
            user=Trader(user_id=trade.user_id, email=trade.email, full_name=trade.full_name),
        )

    async def timeline(self, query: OfTrade) -> Rows[TimelineStep]:
        """In the order of their times. Opening and closing are told by the broker's clock, the others by ours."""
        story = await self._story(query)
        signal = await self._signal(story)
        steps = [*_signalled(signal), *_decision(story), *await self._sending(story), *_outcome(story)]
        steps.sort(key=lambda step: step.at)
        return Rows(rows=tuple(steps), total=len(steps))

    async def _story(self, query: OfTrade) -> Story:
        story = await self._stories.story(query.id)
        if story is None:
            raise RpcError(ErrorCode.NOT_FOUND, "Trade not found")
        return story

    async def _signal(self, story: Story) -> Signal | None:
        """Kept for the bot's last order only."""
        bot = BotId(story.user_id, story.account_type)
        entry = await self._bots.get(keys.bot_signal(bot), BotSignal)
        return entry.value.signal if entry is not None and entry.value.order_id == story.order_id else None

    async def _sending(self, story: Story) -> list[TimelineStep]:
        """Of the order's record, which is kept for a day after its end."""
        entry = await self._orders.get(f"{story.user_id}.{story.order_id}", OrderRecord)
        if entry is None:
            return []
        record, steps = entry.value, []
        if record.sent_at is not None:
            steps.append(_step(record.sent_at, "update", {"event": "sent", "balance_id": record.balance_id}))
        if record.sale_sent_at is not None:
            steps.append(_step(record.sale_sent_at, "update", {"event": "sale_sent"}))
        return steps

    async def _candles(self, story: Story) -> tuple[Candle, ...]:
        now = self._bus.clock.now()
        size = _size(now - story.data_abertura)
        if size is None:
            return ()
        begin = (story.decided_at or story.data_abertura).timestamp() - _BEFORE * size
        end = (story.data_fechamento or story.data_expiracao or now).timestamp() + _AFTER * size
        count = min(_MOST, int((now.timestamp() - begin) // size) + 2)
        try:
            query = CandleQuery(active_id=story.active_id, size=size, count=count)
            page = await self._bus.call(CANDLES, query, timeout=_PATIENCE)
        except RpcError as error:
            log.info("no_candles_of_trade", trade=story.id, error=str(error))
            return ()
        return tuple(candle for candle in page.candles if begin <= candle.end and candle.start <= end)


def _size(age: timedelta) -> int | None:
    """Of the smallest candles whose history reaches back far enough, in seconds."""
    reach = _MOST - _BEFORE - 2
    return next((size for size in _SIZES if age.total_seconds() < reach * size), None)


def _followed(story: Story, signal: Signal | None) -> FollowedSignal:
    return FollowedSignal(
        id=story.correlation_id,
        direction=_DIRECTIONS[story.direction],
        confidence=story.confidence,
        price=story.decided_quote,
        at=signal.at if signal is not None else None,
        timeframe=signal.size if signal is not None else None,
        candle_end=signal.candle_end if signal is not None else None,
    )


def _signalled(signal: Signal | None) -> list[TimelineStep]:
    if signal is None:
        return []
    data = {
        "strategy": signal.strategy,
        "direction": signal.direction.upper(),
        "confidence": signal.confidence,
        "timeframe": signal.size,
        "candle_end": signal.candle_end,
    }
    return [_step(signal.at, "signal", data)]


def _decision(story: Story) -> list[TimelineStep]:
    if story.decided_at is None:
        return []
    data = {
        "order_id": story.order_id,
        "correlation_id": story.correlation_id,
        "run": story.session_id,
        "sequence": story.sequence,
        "strategy": story.strategy_id,
        "confidence": story.confidence,
        "asset": story.ativo_nome,
        "direction": story.direction.upper(),
        "amount": float(story.valor),
        "duration": story.expiration_seconds,
        "quote": story.decided_quote,
    }
    return [_step(story.decided_at, "order", data)]


def _outcome(story: Story) -> list[TimelineStep]:
    opened = {
        "position_id": story.external_id,
        "quote": story.open_quote,
        "payout": story.payout,
        "expires_at": story.data_expiracao.isoformat() if story.data_expiracao is not None else None,
    }
    steps = [_step(story.data_abertura, "open", opened)]
    if story.acknowledged_at is not None:
        waited = story.acknowledged_at - story.decided_at if story.decided_at is not None else None
        milliseconds = round(1000 * waited.total_seconds(), 3) if waited is not None else None
        steps.append(_step(story.acknowledged_at, "update", {"event": "accepted", "milliseconds": milliseconds}))
    if story.resultado is not None:
        if story.data_fechamento is not None:
            steps.append(_step(story.data_fechamento, "close", {"quote": story.close_quote}))
        pnl = float(story.pnl) if story.pnl is not None else None
        steps.append(_step(story.updated_at, "settle", {"result": story.resultado, "pnl": pnl}))
    return steps


def _step(at: datetime, kind: Kind, data: dict[str, Any]) -> TimelineStep:
    return TimelineStep(at=at, type=kind, data={name: value for name, value in data.items() if value is not None})
