"""One run of a bot: its orders, decided in sequence and settled in whatever order, and its score. Pure; persisting is
the caller's."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from libs.contracts.ids import derived_id
from libs.contracts.orders import Order, OrderRecord, OrderState
from libs.contracts.score import Score
from services.bot_runtime.choice import Choice
from services.bot_runtime.policy import Policy, Trade
from services.bot_runtime.policy.scoring import passed

_PROGRESS = {OrderState.INTENDED: 0, OrderState.SENDING: 1, OrderState.OPENED: 2}
_FINAL = 3
_COUNTABLE = (OrderState.CLOSED, OrderState.REJECTED)


def order_id(run: str, sequence: int) -> str:
    """The id of a run's n-th order: whoever runs the bot next finds that order, and cannot decide it again."""
    return derived_id("order", run, sequence)


class Run:
    """`score` counts what is settled; `orders` are those that were decided and are not counted yet, by sequence."""

    def __init__(self, score: Score, orders: Iterable[OrderRecord] = ()) -> None:
        self.score = score
        self.orders = {record.order.sequence: record for record in orders}

    @property
    def next_sequence(self) -> int:
        return max((self.score.last, *self.orders)) + 1

    @property
    def open(self) -> list[OrderRecord]:
        """Orders whose end is not known; the latest decided last."""
        return [record for _, record in sorted(self.orders.items()) if not record.state.final]

    @property
    def at_risk(self) -> Decimal:
        return sum((record.order.stake for record in self.open), Decimal(0))

    @property
    def unknown(self) -> OrderRecord | None:
        """One of which nobody can tell what became of it; it is never counted."""
        return next((record for record in self.orders.values() if record.state is OrderState.UNKNOWN), None)

    @property
    def ended(self) -> OrderRecord | None:
        """The next to be counted: the one that ended first."""
        ended = [record for record in self.orders.values() if record.state in _COUNTABLE]
        return min(ended, key=lambda record: (record.updated_at, record.order.sequence), default=None)

    def decide(
        self,
        choice: Choice,
        stake: Decimal,
        at: datetime,
        lifetime: float,
        min_payout: int = 0,
        worth: Decimal | None = None,
    ) -> Order:
        """The next order. It is one of `orders` when its record was created (`learn`)."""
        sequence = self.next_sequence
        return Order(
            order_id=order_id(self.score.run, sequence),
            user=self.score.user,
            run=self.score.run,
            sequence=sequence,
            at=at,
            expires_at=at + timedelta(seconds=lifetime),
            account_type=self.score.account_type,
            active_id=choice.active.id,
            ticker=choice.active.ticker,
            direction=choice.signal.direction,
            stake=stake,
            quote=choice.signal.price,
            worth=worth,
            duration=choice.duration,
            min_payout=min_payout,
            strategy=choice.signal.strategy,
            confidence=choice.signal.confidence,
            correlation_id=choice.signal.id,
        )

    def learn(self, record: OrderRecord) -> bool:
        """Take news about an order. False if there is nothing new: another run's order, one that is counted, or a state
        already passed, so that events may be repeated and come in any order."""
        sequence = record.order.sequence
        known = self.orders.get(sequence)
        if record.order.run != self.score.run or self.score.counts(sequence):
            return False
        if known is None and sequence != self.next_sequence:
            return False
        if known is not None and _progress(record) <= _progress(known):
            return False
        self.orders[sequence] = record
        return True

    def scored(self, record: OrderRecord, policy: Policy, at: datetime) -> Score:
        """The score with that ended order in it, to be made durable before `settle`."""
        if record.state not in _COUNTABLE:
            raise RuntimeError(f"order {record.order.order_id} is not settled")
        if record.settlement is None:
            return passed(self.score, record.order.sequence, at)
        return policy.after(self.score, Trade.of(record.order, record.settlement.profit, record.updated_at), at)

    def settle(self, score: Score, record: OrderRecord) -> None:
        """The score is durable: the order needs no more attention."""
        self.score = score
        self.orders.pop(record.order.sequence, None)


def _progress(record: OrderRecord) -> int:
    return _PROGRESS.get(record.state, _FINAL)
