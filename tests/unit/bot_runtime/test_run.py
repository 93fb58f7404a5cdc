"""The order book of one run, also under repeated, late and reordered events."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.contracts.account import AccountType
from libs.contracts.orders import Direction, Order, OrderRecord, OrderState, TradeResult
from services.bot_runtime.run import Run, fresh_pnl, order_id, skip
from tests.messages import NOW, USER, a_position, a_settlement
from tests.unit.bot_runtime.builders import a_choice

D = Decimal


def a_run() -> Run:
    return Run(fresh_pnl(USER, "run-1", AccountType.DEMO, NOW))


def decided(run: Run) -> Order:
    order = run.decide(a_choice(), D(10), NOW, lifetime=5.0)
    run.learn(record(order, OrderState.INTENDED))
    return order


def record(order: Order, state: OrderState, profit: str | None = None) -> OrderRecord:
    return OrderRecord(
        order=order,
        state=state,
        updated_at=NOW,
        position=a_position() if state in (OrderState.OPENED, OrderState.CLOSED) else None,
        settlement=a_settlement(profit=D(profit)) if profit is not None else None,
    )


def traded(run: Run, profit: str) -> None:
    run.learn(record(decided(run), OrderState.CLOSED, profit))
    run.settle(run.scored(NOW))


def test_an_order_says_what_was_decided() -> None:
    order = a_run().decide(a_choice(76, direction=-1, confidence=58), D("12.50"), NOW, lifetime=5.0)
    assert (order.user, order.run, order.sequence) == (USER, "run-1", 1)
    assert (order.active_id, order.ticker, order.direction) == (76, "T76-OTC", Direction.PUT)
    assert (order.stake, order.duration, order.account_type) == (D("12.50"), 10, AccountType.DEMO)
    assert (order.strategy, order.confidence) == ("scripted", 58)
    assert order.expires_at == NOW + timedelta(seconds=5)


def test_an_order_insists_on_what_its_bot_does() -> None:
    assert a_run().decide(a_choice(), D(10), NOW, lifetime=5.0, min_payout=80).min_payout == 80


def test_the_id_of_the_next_order_follows_from_run_and_sequence() -> None:
    run = a_run()
    assert decided(run).order_id == order_id("run-1", 1) == decided(a_run()).order_id
    assert order_id("run-1", 2) != order_id("run-1", 1) != order_id("run-2", 1)


def test_a_second_order_cannot_be_decided_while_one_is_open() -> None:
    run = a_run()
    decided(run)
    with pytest.raises(RuntimeError, match="not settled"):
        decided(run)


def test_an_open_order_cannot_be_scored() -> None:
    run = a_run()
    run.learn(record(decided(run), OrderState.OPENED))
    with pytest.raises(RuntimeError, match="not settled"):
        run.scored(NOW)


def test_an_unknown_outcome_is_never_scored() -> None:
    run = a_run()
    run.learn(record(decided(run), OrderState.UNKNOWN))
    with pytest.raises(RuntimeError, match="not settled"):
        run.scored(NOW)


def test_results_are_counted() -> None:
    run = a_run()
    for profit in ("8.20", "-10", "-10", "0", "8.20", "-10"):
        traded(run, profit)
    assert (run.pnl.wins, run.pnl.losses, run.pnl.ties, run.pnl.trades) == (2, 3, 1, 6)
    assert run.pnl.total == D("-13.60")
    assert (run.pnl.profit, run.pnl.sequence, run.pnl.order_id) == (D(-10), 6, order_id("run-1", 6))


def test_a_tie_keeps_the_row_of_losses_and_a_win_ends_it() -> None:
    run, rows = a_run(), []
    for profit in ("-10", "-10", "0", "-10", "8.20", "-10"):
        traded(run, profit)
        rows.append(run.pnl.losses_in_a_row)
    assert rows == [1, 2, 2, 3, 0, 1]


def test_a_rejected_order_uses_up_its_sequence_and_counts_as_nothing() -> None:
    run = a_run()
    traded(run, "-10")
    run.learn(record(decided(run), OrderState.REJECTED))
    run.settle(run.scored(NOW))
    assert (run.pnl.sequence, run.pnl.trades, run.pnl.total, run.pnl.profit) == (2, 1, D(-10), D(0))
    assert run.pnl.losses_in_a_row == 1
    assert run.order is None


def test_passing_over_an_id_changes_nothing_but_the_sequence() -> None:
    run = a_run()
    traded(run, "8.20")
    passed = skip(run.pnl, NOW)
    assert (passed.sequence, passed.total, passed.wins, passed.trades) == (2, D("8.20"), 1, 1)
    assert passed.id != run.pnl.id


def test_scoring_twice_gives_the_same_score() -> None:
    run = a_run()
    run.learn(record(decided(run), OrderState.CLOSED, "8.20"))
    assert run.scored(NOW) == run.scored(NOW)


def test_news_of_another_run_is_no_news() -> None:
    run, other = a_run(), Run(fresh_pnl(USER, "run-2", AccountType.DEMO, NOW))
    decided(run)
    assert not run.learn(record(decided(other), OrderState.CLOSED, "8.20"))


def test_the_result_may_come_before_the_opening() -> None:
    run = a_run()
    order = decided(run)
    assert run.learn(record(order, OrderState.CLOSED, "8.20"))
    assert not run.learn(record(order, OrderState.OPENED))
    assert run.order is not None
    assert run.order.state is OrderState.CLOSED


def test_an_order_is_learnt_of_even_if_deciding_it_was_not_confirmed() -> None:
    run = a_run()
    order = run.decide(a_choice(), D(10), NOW, lifetime=5.0)
    assert run.learn(record(order, OrderState.OPENED))


class Markets(RuleBasedStateMachine):
    """Decides, crashes and hears events of every order ever made, in any order and any number of times."""

    def __init__(self) -> None:
        super().__init__()
        self.run = a_run()
        self.orders: list[Order] = []
        self.outcomes: dict[str, tuple[OrderState, str | None]] = {}
        self.counted: list[int] = []

    @precondition(lambda self: self.run.order is None)
    @rule(profit=st.sampled_from(["8.20", "-10", "0", None]))
    def decide(self, profit: str | None) -> None:
        order = decided(self.run)
        self.orders.append(order)
        self.outcomes[order.order_id] = (OrderState.CLOSED if profit else OrderState.REJECTED, profit)

    @precondition(lambda self: bool(self.orders))
    @rule(data=st.data(), final=st.booleans())
    def hear(self, data: st.DataObject, final: bool) -> None:
        order = data.draw(st.sampled_from(self.orders))
        state, profit = self.outcomes[order.order_id]
        self.run.learn(record(order, state, profit) if final else record(order, OrderState.OPENED))

    @precondition(lambda self: self.run.order is not None and self.run.order.state.final)
    @rule()
    def settle(self) -> None:
        before = self.run.pnl
        self.run.settle(self.run.scored(NOW))
        assert self.run.pnl.sequence == before.sequence + 1
        self.counted.append(self.run.pnl.sequence)

    @rule()
    def crash(self) -> None:
        """What is durable stays: the score, and the record of the next order if there is one."""
        self.run = Run(self.run.pnl, self.run.order)

    @invariant()
    def every_order_is_counted_once(self) -> None:
        settled = [self.outcomes[order_id("run-1", sequence)][1] for sequence in self.counted]
        profits = [D(profit) for profit in settled if profit is not None]
        assert self.run.pnl.total == sum(profits, D(0))
        assert self.run.pnl.trades == len(profits)
        assert self.run.pnl.wins == sum(TradeResult.of(profit) is TradeResult.WIN for profit in profits)

    @invariant()
    def at_most_one_order_is_not_settled(self) -> None:
        open_orders = len(self.orders) - len(self.counted)
        assert open_orders == (self.run.order is not None)

    @invariant()
    def sequences_grow_without_holes(self) -> None:
        assert [order.sequence for order in self.orders] == list(range(1, len(self.orders) + 1))


Markets.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestMarkets = Markets.TestCase
