"""The order book of one run, also under repeated, late and reordered events."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig
from libs.contracts.orders import Direction, Order, OrderRecord, OrderState, TradeResult
from services.bot_runtime.policy import Policy
from services.bot_runtime.policy.scoring import passed
from services.bot_runtime.restore import fresh_score
from services.bot_runtime.run import Run, order_id
from tests.messages import NOW, USER, a_candle, a_position, a_settlement
from tests.unit.bot_runtime.builders import a_choice

D = Decimal
POLICY = Policy(BotConfig(max_open_positions=3))


def a_run(name: str = "run-1") -> Run:
    return Run(fresh_score(USER, name, AccountType.DEMO, NOW))


def decided(run: Run) -> Order:
    order = run.decide(a_choice(), D(10), NOW, lifetime=5.0)
    run.learn(record(order, OrderState.INTENDED))
    return order


def record(order: Order, state: OrderState, profit: str | None = None, at: datetime = NOW) -> OrderRecord:
    return OrderRecord(
        order=order,
        state=state,
        updated_at=at,
        position=a_position() if state in (OrderState.OPENED, OrderState.CLOSED) else None,
        settlement=a_settlement(profit=D(profit)) if profit is not None else None,
    )


def count(run: Run) -> OrderRecord:
    """The order that ended first."""
    ended = run.ended
    assert ended is not None
    run.settle(run.scored(ended, POLICY, NOW), ended)
    return ended


def traded(run: Run, profit: str) -> None:
    run.learn(record(decided(run), OrderState.CLOSED, profit))
    count(run)


def test_an_order_says_what_was_decided() -> None:
    order = a_run().decide(a_choice(76, direction=-1, confidence=58), D("12.50"), NOW, lifetime=5.0)
    assert (order.user, order.run, order.sequence) == (USER, "run-1", 1)
    assert (order.active_id, order.ticker, order.direction) == (76, "T76-OTC", Direction.PUT)
    assert (order.stake, order.duration, order.account_type) == (D("12.50"), 10, AccountType.DEMO)
    assert (order.strategy, order.confidence, order.quote) == ("scripted", 58, a_candle().close)
    assert order.expires_at == NOW + timedelta(seconds=5)


def test_an_order_insists_on_what_its_bot_does() -> None:
    assert a_run().decide(a_choice(), D(10), NOW, lifetime=5.0, min_payout=80).min_payout == 80


def test_the_id_of_the_next_order_follows_from_run_and_sequence() -> None:
    run = a_run()
    assert decided(run).order_id == order_id("run-1", 1) == decided(a_run()).order_id
    assert order_id("run-1", 2) != order_id("run-1", 1) != order_id("run-2", 1)


@pytest.mark.parametrize("state", [OrderState.OPENED, OrderState.UNKNOWN])
def test_what_has_no_result_is_not_counted(state: OrderState) -> None:
    run = a_run()
    undone = record(decided(run), state)
    run.learn(undone)
    assert run.ended is None
    with pytest.raises(RuntimeError, match="not settled"):
        run.scored(undone, POLICY, NOW)


def test_an_order_nobody_can_tell_of_is_known_and_not_open() -> None:
    run = a_run()
    run.learn(record(decided(run), OrderState.UNKNOWN))
    assert run.unknown is not None
    assert (run.open, run.next_sequence) == ([], 2)


def test_several_may_be_open_and_end_in_any_order() -> None:
    run = a_run()
    first, second, third = (decided(run) for _ in range(3))
    assert [each.order.sequence for each in run.open] == [1, 2, 3]
    assert run.at_risk == D(30)
    run.learn(record(third, OrderState.CLOSED, "8.20"))
    assert count(run).order == third
    assert (run.score.sequence, run.score.ahead, run.next_sequence) == (0, (3,), 4)
    assert not run.learn(record(third, OrderState.CLOSED, "8.20")), "it is counted"
    run.learn(record(first, OrderState.CLOSED, "-10"))
    count(run)
    assert (run.score.sequence, run.score.ahead) == (1, (3,))
    run.learn(record(second, OrderState.REJECTED))
    count(run)
    assert (run.score.sequence, run.score.ahead, run.score.trades, run.score.total) == (3, (), 2, D("-1.80"))


def test_what_ended_first_is_counted_first() -> None:
    run = a_run()
    first, second = decided(run), decided(run)
    run.learn(record(first, OrderState.CLOSED, "-10", NOW + timedelta(seconds=2)))
    run.learn(record(second, OrderState.CLOSED, "8.20", NOW + timedelta(seconds=1)))
    assert [count(run).order, count(run).order] == [second, first]


def test_results_are_counted() -> None:
    run = a_run()
    for profit in ("8.20", "-10", "-10", "0", "8.20", "-10"):
        traded(run, profit)
    assert (run.score.wins, run.score.losses, run.score.ties, run.score.trades) == (2, 3, 1, 6)
    assert run.score.total == D("-13.60")
    assert (run.score.profit, run.score.sequence, run.score.order_id) == (D(-10), 6, order_id("run-1", 6))


def test_a_tie_keeps_the_row_of_losses_and_a_win_ends_it() -> None:
    run, rows = a_run(), []
    for profit in ("-10", "-10", "0", "-10", "8.20", "-10"):
        traded(run, profit)
        rows.append(run.score.losses_in_a_row)
    assert rows == [1, 2, 2, 3, 0, 1]


def test_a_rejected_order_uses_up_its_sequence_and_counts_as_nothing() -> None:
    run = a_run()
    traded(run, "-10")
    run.learn(record(decided(run), OrderState.REJECTED))
    count(run)
    assert (run.score.sequence, run.score.trades, run.score.total, run.score.profit) == (2, 1, D(-10), D(0))
    assert run.score.losses_in_a_row == 1
    assert run.orders == {}


def test_passing_over_an_id_changes_nothing_but_the_sequence() -> None:
    run = a_run()
    traded(run, "8.20")
    skipped = passed(run.score, 2, NOW)
    assert (skipped.sequence, skipped.total, skipped.wins, skipped.trades) == (2, D("8.20"), 1, 1)
    assert skipped.id != run.score.id


def test_scoring_twice_gives_the_same_score() -> None:
    run = a_run()
    closed = record(decided(run), OrderState.CLOSED, "8.20")
    run.learn(closed)
    assert run.scored(closed, POLICY, NOW) == run.scored(closed, POLICY, NOW)


def test_news_of_another_run_is_no_news() -> None:
    run, other = a_run(), a_run("run-2")
    decided(run)
    assert not run.learn(record(decided(other), OrderState.CLOSED, "8.20"))


def test_the_result_may_come_before_the_opening() -> None:
    run = a_run()
    order = decided(run)
    assert run.learn(record(order, OrderState.CLOSED, "8.20"))
    assert not run.learn(record(order, OrderState.OPENED))
    assert run.orders[1].state is OrderState.CLOSED


def test_an_order_is_learnt_of_even_if_deciding_it_was_not_confirmed() -> None:
    run = a_run()
    order = run.decide(a_choice(), D(10), NOW, lifetime=5.0)
    assert run.learn(record(order, OrderState.OPENED))


def test_an_order_that_follows_one_it_never_heard_of_is_its_successors() -> None:
    """Who was replaced hears of what its successor decides; it finds all of that when it is recovered."""
    run, successor = a_run(), a_run()
    decided(successor)
    assert not run.learn(record(decided(successor), OrderState.OPENED))
    assert (run.open, run.next_sequence) == ([], 1)


class Markets(RuleBasedStateMachine):
    """Decides, crashes and hears events of every order ever made, in any order and any number of times."""

    def __init__(self) -> None:
        super().__init__()
        self.run = a_run()
        self.orders: list[Order] = []
        self.outcomes: dict[int, tuple[OrderState, str | None]] = {}
        self.counted: list[int] = []

    @precondition(lambda self: len(self.run.orders) < 3)
    @rule(profit=st.sampled_from(["8.20", "-10", "0", None]))
    def decide(self, profit: str | None) -> None:
        order = decided(self.run)
        self.orders.append(order)
        self.outcomes[order.sequence] = (OrderState.CLOSED if profit else OrderState.REJECTED, profit)

    @precondition(lambda self: bool(self.orders))
    @rule(data=st.data(), final=st.booleans())
    def hear(self, data: st.DataObject, final: bool) -> None:
        order = data.draw(st.sampled_from(self.orders))
        state, profit = self.outcomes[order.sequence]
        self.run.learn(record(order, state, profit) if final else record(order, OrderState.OPENED))

    @precondition(lambda self: self.run.ended is not None)
    @rule()
    def settle(self) -> None:
        self.counted.append(count(self.run).order.sequence)

    @rule()
    def crash(self) -> None:
        """What is durable stays: the score, and the records of the orders that are not in it."""
        self.run = Run(self.run.score, self.run.orders.values())

    @invariant()
    def every_order_is_counted_once(self) -> None:
        assert len(set(self.counted)) == len(self.counted)
        assert {n for n in range(1, len(self.orders) + 1) if self.run.score.counts(n)} == set(self.counted)
        settled = [self.outcomes[sequence][1] for sequence in self.counted]
        profits = [D(profit) for profit in settled if profit is not None]
        assert self.run.score.total == sum(profits, D(0))
        assert self.run.score.trades == len(profits)
        assert self.run.score.wins == sum(TradeResult.of(profit) is TradeResult.WIN for profit in profits)

    @invariant()
    def what_is_not_counted_is_known(self) -> None:
        assert set(self.run.orders) == {order.sequence for order in self.orders} - set(self.counted)

    @invariant()
    def sequences_grow_without_holes(self) -> None:
        assert [order.sequence for order in self.orders] == list(range(1, len(self.orders) + 1))


Markets.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestMarkets = Markets.TestCase
