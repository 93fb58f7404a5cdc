"""What the broker, the records of orders, the trade events, the database and the score say of one user's day."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from libs.contracts.bots import BotConfig, BotState, BotStatus
from libs.contracts.orders import OrderRecord, OrderState, TradeClosed, TradeResult
from libs.contracts.score import Score
from services.bot_runtime.policy import Account, Entry, Offer, Policy, Trade
from services.bot_runtime.restore import fresh_score

_CLEAR = (OrderState.CLOSED, OrderState.REJECTED)


@dataclass(frozen=True, slots=True)
class Book:
    config: BotConfig
    records: list[OrderRecord]
    """Of the user's only run, in the order in which they were decided."""
    positions: list[dict[str, Any]]
    balances: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    closings: list[TradeClosed]
    rows: list[dict[str, Any]]
    """Of `trade_history`."""
    score: Score | None
    status: BotStatus | None

    def problems(self) -> Iterator[str]:
        """What does not agree, or should not have been."""
        if self.status is None or self.status.state is not BotState.STOPPED:
            yield f"it has not stopped: {self.status}"
        if unclear := [record.order.sequence for record in self.records if record.state not in _CLEAR]:
            yield f"it is not clear what became of the orders {unclear}"
        yield from self._in_accounts()
        yield from self._in_rules()

    def story(self) -> str:
        lines = [f"  {self.config}", f"  {self.score}"]
        for record in self.records:
            order, position, settlement = record.order, record.position, record.settlement
            lines.append(
                f"  #{order.sequence} {order.at:%H:%M:%S.%f} {order.ticker} {order.stake} of {order.worth}"
                f" {record.state} {record.code} position {position.position_id if position else None}"
                f" profit {settlement.profit if settlement else None} at {record.updated_at:%H:%M:%S.%f}"
            )
        lines.append(
            f"  broker: {[(each['external_id'], each['invest'], each['pnl_realized']) for each in self.positions]}"
        )
        lines.append(f"  rows: {[(row['external_id'], row['status'], row['pnl']) for row in self.rows]}")
        return "\n".join(lines)

    def _in_accounts(self) -> Iterator[str]:
        booked = [
            (each["external_id"], _money(each["invest"]), _money(each["pnl_realized"])) for each in self.positions
        ]
        recorded = [
            (record.position.position_id, record.order.stake, record.settlement.profit)
            for record in self.records
            if record.position is not None and record.settlement is not None
        ]
        told = [(each.position.position_id, each.order.stake, each.settlement.profit) for each in self.closings]
        if sorted(booked) != sorted(recorded):
            yield f"the broker booked {booked}, the records say {recorded}"
        if sorted(booked) != sorted(told):
            yield f"the broker booked {booked}, the events say {told}"
        results = sorted((each.position.position_id, "closed", each.settlement.profit) for each in self.closings)
        rows = sorted((row["external_id"], row["status"], _money(row["pnl"])) for row in self.rows)
        if rows != results:
            yield "the rows are not the trades"
        profits = [profit for _, _, profit in booked]
        moved = sum((entry["change"] for entry in self.ledger if entry["position_id"] is not None), Decimal(0))
        if moved != sum(profits) or any(balance["amount"] != balance["ledger"] for balance in self.balances):
            yield f"the broker's ledger moved by {moved}, its positions made {sum(profits)}"
        yield from self._in_score(profits)

    def _in_score(self, profits: list[Decimal]) -> Iterator[str]:
        results = Counter(TradeResult.of(profit) for profit in profits)
        of_broker = (sum(profits), *(results[result] for result in TradeResult))
        score = self.score
        of_bot = (score.total, score.wins, score.losses, score.ties) if score is not None else None
        if of_bot != of_broker:
            yield f"the bot counted {of_bot}, the broker {of_broker}"

    def _in_rules(self) -> Iterator[str]:
        """Every trade must have been allowed, with that stake, by what could be known when it was decided."""
        traded = [record for record in self.records if record.settlement is not None]
        for number, record in enumerate(traded):
            if not any(self._allowed(record, traded[:number], counted) for counted in range(number + 1)):
                yield f"order #{record.order.sequence} is against the rules"

    def _allowed(self, record: OrderRecord, earlier: list[OrderRecord], counted: int) -> bool:
        """If the bot had counted so many of the earlier trades, those that ended first; the others are open to it."""
        order, policy = record.order, Policy(self.config)
        ended = sorted(earlier, key=lambda each: (each.updated_at, each.order.sequence))
        known, still_open = ended[:counted], ended[counted:]
        if order.worth is None or any(each.updated_at > order.at for each in known):
            return False
        score = fresh_score(order.user, order.run, order.account_type, order.at)
        for each in known:
            if each.settlement is not None:
                score = policy.after(score, Trade.of(each.order, each.settlement.profit, each.updated_at), order.at)
        at_risk = sum((each.order.stake for each in still_open), Decimal(0))
        account = Account(order.worth - at_risk, at_risk, len(still_open))
        verdict = policy.judge(score, account, Offer(order.active_id, 100), order.at)
        if not isinstance(verdict, Entry):
            return False
        # Besides several positions, orders that are then refused lower what is left of a limit for a moment.
        return order.stake == verdict.stake or (self.config.max_open_positions > 1 and order.stake < verdict.stake)


def _money(told: object) -> Decimal:
    """Infinite, as no result is, while there is none."""
    return Decimal("Infinity") if told is None else Decimal(str(told))
