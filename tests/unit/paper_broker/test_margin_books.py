"""Whatever happens to margin orders in whatever order: a balance is the sum of its ledger, and only closing positions
makes and loses money.
"""

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from services.paper_broker.accounts import Balance
from services.paper_broker.epoch import ticks_before
from services.paper_broker.errors import Refused, Status
from services.paper_broker.ledger import Reason
from services.paper_broker.margin_instruments import kind_of, step
from services.paper_broker.margin_orders import Filled
from services.paper_broker.margin_positions import CannotClose
from services.paper_broker.margin_terms import PlaceOrder, Protection
from services.paper_broker.orders import Order, OrderStatus
from services.paper_broker.positions import Position
from tests.unit.paper_broker.test_margin_instruments import BTC, GOLD
from tests.unit.paper_broker.world import EURUSD, USER, HandClock, World

AMOUNT = 2000
CURRENCIES = ["USD", "JPY"]
SIDES = st.sampled_from(["buy", "sell"])
ACTIVES = st.sampled_from([EURUSD, GOLD, BTC])
BALANCES = st.sampled_from(CURRENCIES)
STEPS = st.integers(1, 60) | st.integers(100, 9000)
PROTECTIONS = st.none() | st.builds(
    Protection, st.decimals(Decimal("0.1"), 500, places=1), st.sampled_from(["pips", "pnl", "delta"])
)


class MarginBooks(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.database = str(Path(self.directory.name) / "broker.sqlite")
        self.world = World(HandClock(), self.database)
        for currency in CURRENCIES:
            self.balance(currency)
        self.reset_by = dict.fromkeys(CURRENCIES, Decimal(0))
        self.ended: dict[int, OrderStatus] = {}
        """Statuses that cannot change any more."""

    def balance(self, currency: str) -> Balance:
        return self.world.margin_balance(currency, AMOUNT if currency == "USD" else AMOUNT * 150)

    def tick(self) -> int:
        return ticks_before(self.world.broker.now())

    def order(self, active_id: int, side: Any, currency: str, steps: int, **protections: Any) -> PlaceOrder:
        active = self.world.broker.catalogue.get(active_id)
        assert active is not None
        count = step(active) * kind_of(active).lot * steps
        order = self.world.margin_order(active_id, side=side, user_balance_id=self.balance(currency).id, count=count)
        return replace(order, **protections)

    def kind(self, active_id: int) -> Any:
        active = self.world.broker.catalogue.get(active_id)
        assert active is not None
        return kind_of(active)

    @rule(active=ACTIVES, side=SIDES, currency=BALANCES, steps=STEPS, loss=PROTECTIONS, profit=PROTECTIONS)
    def buy(self, active: int, side: Any, currency: str, steps: int, loss: Any, profit: Any) -> None:
        before = self.world.broker.margin.balances.worth(self.balance(currency), self.tick())
        order = self.order(active, side, currency, steps, stop_loss=loss, take_profit=profit)
        filled: Filled | None = None
        status: int = Status.OK
        try:
            filled = self.world.broker.margin.orders.market(USER, self.kind(active), order)
        except Refused as refused:
            status = refused.status
        assert status in (Status.OK, Status.INSUFFICIENT_FUNDS, Status.INVALID)
        after = self.world.broker.margin.balances.worth(self.balance(currency), self.tick())
        assert after.cash == before.cash
        if filled is None:
            assert after == before
            return
        self.ended[filled.order.id] = OrderStatus.FILLED
        assert filled.position.invest <= before.available
        assert after.margin == before.margin + filled.position.invest
        assert after.pnl <= before.pnl  # the spread

    @rule(active=ACTIVES, side=SIDES, currency=BALANCES, steps=STEPS, share=st.integers(-20, 20), profit=PROTECTIONS)
    def defer(self, active: int, side: Any, currency: str, steps: int, share: int, profit: Any) -> None:
        found = self.world.broker.catalogue.get(active)
        assert found is not None
        quote = Decimal(str(self.world.broker.market.quote(found, self.tick()).value))
        price = quote * (1 + Decimal(share) / 10_000)
        order = self.order(active, side, currency, steps, take_profit=profit, limit_price=price)
        before = self.pending()
        with suppress(Refused):
            placed = self.world.broker.margin.orders.defer(USER, self.kind(active), order, "limit_price")
            assert placed.status is OrderStatus.NEW
            before.append(placed)
        assert sorted(self.pending(), key=lambda each: each.id) == sorted(before, key=lambda each: each.id)

    def pending(self) -> list[Order]:
        return [each for name in CURRENCIES for each in self.world.broker.orders.live(USER, self.balance(name).id)]

    @precondition(lambda self: self.pending())
    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        waiting = self.pending()
        order = waiting[number % len(waiting)]
        kind = next(
            self.kind(each) for each in (EURUSD, GOLD, BTC) if self.kind(each).instrument_type == order.instrument_type
        )
        cancelled = self.world.broker.margin.orders.cancel(USER, kind, order.id)
        assert cancelled is not None
        self.ended[order.id] = cancelled.status
        assert self.world.broker.margin.orders.cancel(USER, kind, order.id) is None

    @precondition(lambda self: self.world.broker.positions.open(USER))
    @rule(number=st.integers(0, 9))
    def close(self, number: int) -> None:
        positions = self.world.broker.positions.open(USER)
        position = positions[number % len(positions)]
        kind = self.kind(position.active_id)
        before = self.equity(position.balance_id)
        closed = self.world.broker.margin.positions.close_by_user(USER, kind, position.external_id)
        assert closed.version == 2
        assert self.equity(position.balance_id) in (before, max(before, Decimal(0)))
        try:
            self.world.broker.margin.positions.close_by_user(USER, kind, position.external_id)
        except CannotClose:
            return
        raise AssertionError("closed twice")

    def equity(self, balance_id: int) -> Decimal:
        balance = self.world.broker.accounts.balance(USER, balance_id)
        assert balance is not None
        return self.world.broker.margin.balances.worth(balance, self.tick()).equity

    @rule(seconds=st.floats(0.05, 90) | st.floats(90, 1500))
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def look(self) -> None:
        self.world.clock.advance(0.25)
        for order, position in self.world.broker.margin.watch.advance(self.world.broker.now()):
            if order is not None:
                assert order.id not in self.ended
                self.ended[order.id] = order.status
                assert (order.status is OrderStatus.FILLED) == (position is not None)
            else:
                assert position is not None
                assert position.closing is not None
        for currency in CURRENCIES:
            balance = self.balance(currency)
            worth = self.world.broker.margin.balances.worth(balance, self.tick())
            assert not worth.stopped_out

    @rule(currency=BALANCES, amount=st.integers(0, 3000))
    def reset(self, currency: str, amount: int) -> None:
        balance = self.balance(currency)
        self.world.broker.accounts.reset(balance, Decimal(amount))
        self.reset_by[currency] += amount - balance.amount

    @precondition(lambda self: self.world.broker.positions.all(USER))
    @rule()
    def restart(self) -> None:
        self.look()
        before, waiting = self.world.broker.positions.all(USER), self.pending()
        self.world.storage.close()
        self.world = World(self.world.clock, self.database)
        assert self.world.broker.positions.all(USER) == before
        assert self.pending() == waiting

    @invariant()
    def balances_are_what_they_must_be(self) -> None:
        for currency in CURRENCIES:
            balance = self.balance(currency)
            opening = Decimal(AMOUNT if currency == "USD" else AMOUNT * 150)
            closed = [each for each in self.world.broker.positions.all(USER) if each.balance_id == balance.id]
            pnl = sum((each.closing.profit - each.invest for each in closed if each.closing is not None), Decimal(0))
            entries = self.world.broker.ledger.entries(balance.id)
            cover = sum((each.change for each in entries if each.reason is Reason.COVER), Decimal(0))
            assert balance.amount == self.world.broker.ledger.total(balance.id)
            assert balance.amount == opening + self.reset_by[currency] + pnl + cover
            assert all(each.change > 0 for each in entries if each.reason is Reason.COVER)
            assert balance.amount >= 0 or self.world.broker.margin.book.of(balance.id)

    @invariant()
    def what_is_at_hand_is_what_is_stored(self) -> None:
        stored = [each for each in self.world.broker.positions.all(USER) if each.closing is None]
        book, balances = self.world.broker.margin.book, [self.balance(each) for each in CURRENCIES]
        held: list[Position] = [each for balance in balances for each in book.of(balance.id)]
        assert sorted(held, key=lambda each: each.external_id) == stored
        assert sorted(self.world.broker.positions.open(USER), key=lambda each: each.external_id) == stored
        for balance in balances:
            worth = self.world.broker.margin.balances.worth(balance, self.tick())
            assert worth.margin == sum((each.invest for each in stored if each.balance_id == balance.id), Decimal(0))
        assert all(book.pending(USER, order.id) is not None for order in self.pending())
        waiting = {each.id for each in self.pending()}
        triggers = {each.number for active in book.actives() for each in book.triggers(active)}
        assert triggers <= waiting | {each.external_id for each in stored}
        assert waiting <= triggers

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        for number, status in self.ended.items():
            order = self.world.broker.orders.find(USER, number)
            assert order is not None
            assert order.status is status

    def teardown(self) -> None:
        self.world.storage.close()
        self.directory.cleanup()


TestMarginBooks = MarginBooks.TestCase
TestMarginBooks.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
