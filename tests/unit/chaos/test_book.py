"""Books that agree have no problem; whatever is falsified in them is named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from libs.contracts.account import AccountType
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.ids import derived_id
from libs.contracts.orders import OrderRecord, OrderState
from services.bot_runtime.policy import Account, Entry, Offer, Policy, Trade
from services.bot_runtime.restore import fresh_score
from tests.chaos.book import Book
from tests.messages import NOW, USER, a_closing, a_position, a_record, a_settlement, an_order

RUN = "run-1"
OPENING = Decimal(10000)
WIN, LOSS = Decimal("0.82"), Decimal(-1)
"""Of the stake."""
MARTINGALE = {"amount": 2, "leverageEnabled": True, "leverage": 2, "maxMartingaleSteps": 3}
FREE = {"maxTimeframe": 5, "protections": {"assetHold": None}}
LIMITED = {"amount": 5, "stopLoss": 12, **FREE}


def a_day(*results: Decimal, **rules: Any) -> Book:
    """Of a bot that keeps its rules: its trades one after another, each won or lost."""
    config = msgspec.convert(rules or MARTINGALE | FREE, BotConfig)
    policy, score = Policy(config), fresh_score(USER, RUN, AccountType.DEMO, NOW)
    worth, records = OPENING, []
    for sequence, result in enumerate(results, 1):
        decided, ended = NOW + timedelta(seconds=20 * sequence), NOW + timedelta(seconds=20 * sequence + 10)
        verdict = policy.judge(score, Account(worth, Decimal(0), 0), Offer(76, 100), decided)
        assert isinstance(verdict, Entry), verdict
        record = a_trade(sequence, verdict.stake, verdict.stake * result, worth)
        worth += verdict.stake * result
        assert record.settlement is not None
        score = policy.after(score, Trade.of(record.order, record.settlement.profit, ended), ended)
        records.append(record)
    return booked(Book(config, records, [], [], [], [], [], score, a_status(config, BotState.STOPPED)))


def a_status(config: BotConfig, state: BotState) -> BotStatus:
    return BotStatus(
        id="status-1", user=USER, at=NOW, run=RUN, number=1, state=state, activity=Activity.ANALYZING, label="",
        config=config, started_at=NOW,
    )  # fmt: skip


def a_trade(sequence: int, stake: Decimal, profit: Decimal, worth: Decimal = OPENING) -> OrderRecord:
    decided = NOW + timedelta(seconds=20 * sequence)
    order = an_order(
        order_id=derived_id("order", RUN, sequence), sequence=sequence, at=decided, stake=stake, worth=worth
    )
    return a_record(
        order=order,
        state=OrderState.CLOSED,
        position=a_position(position_id=1000 + sequence, opened_at=decided),
        settlement=a_settlement(profit=profit),
        updated_at=decided + timedelta(seconds=10),
    )


def booked(book: Book) -> Book:
    """Everybody tells the same of its records."""
    trades = [
        (record.order, record.position, record.settlement)
        for record in book.records
        if record.position is not None and record.settlement is not None
    ]
    positions = [
        {"external_id": position.position_id, "invest": str(order.stake), "pnl_realized": str(settlement.profit)}
        for order, position, settlement in trades
    ]
    changes = [(position.position_id, settlement.profit) for _, position, settlement in trades]
    amount = OPENING + sum(profit for _, profit in changes)
    rows = [{"external_id": number, "status": "closed", "pnl": str(profit)} for number, profit in changes]
    return replace(
        book,
        positions=positions,
        balances=[{"amount": amount, "ledger": amount}],
        ledger=[{"change": OPENING, "position_id": None}]
        + [{"change": profit, "position_id": number} for number, profit in changes],
        closings=[
            a_closing(order=order, position=position, settlement=settlement) for order, position, settlement in trades
        ],
        rows=rows,
    )


HONEST = a_day(LOSS, LOSS, WIN, WIN)


@pytest.mark.parametrize(
    "book",
    [
        a_day(),
        HONEST,
        a_day(LOSS, WIN, LOSS, **LIMITED),
        a_day(WIN, WIN, amount=2, stakePlan={"kind": "soros", "levels": 2}, **FREE),
    ],
)
def test_an_honest_day_has_no_problem(book: Book) -> None:
    assert list(book.problems()) == []


def twice(rows: list[Any]) -> list[Any]:
    return [*rows, rows[-1]]


def with_score(**changes: Any) -> Book:
    assert HONEST.score is not None
    return replace(HONEST, score=msgspec.structs.replace(HONEST.score, **changes))


def with_last(change: Callable[[OrderRecord], OrderRecord]) -> Book:
    return replace(HONEST, records=[*HONEST.records[:-1], change(HONEST.records[-1])])


def wrong_profit(record: OrderRecord) -> OrderRecord:
    return msgspec.structs.replace(record, settlement=a_settlement(profit=Decimal(1000)))


SOMEBODY_ELSES = {"external_id": 4711, "invest": "2", "pnl_realized": "-2"}
LAST_CLOSING = HONEST.closings[-1]
FALSIFIED = {
    "an order doubled at the broker": (replace(HONEST, positions=twice(HONEST.positions)), "the broker booked"),
    "somebody else's position": (replace(HONEST, positions=[*HONEST.positions, SOMEBODY_ELSES]), "the broker booked"),
    "a trade the broker knows nothing of": (replace(HONEST, positions=HONEST.positions[1:]), "the broker booked"),
    "another profit in the record": (with_last(wrong_profit), "the records say"),
    "a trade without a record": (replace(HONEST, records=HONEST.records[:-1]), "the records say"),
    "a trade nobody was told of": (replace(HONEST, closings=HONEST.closings[:-1]), "the events say"),
    "a trade told with another profit": (
        replace(HONEST, closings=[*HONEST.closings[:-1], a_closing(position=LAST_CLOSING.position)]),
        "the events say",
    ),
    "a trade missing in the history": (replace(HONEST, rows=HONEST.rows[:-1]), "the rows are not the trades"),
    "a trade twice in the history": (replace(HONEST, rows=twice(HONEST.rows)), "the rows are not the trades"),
    "a wrong profit in the history": (
        replace(HONEST, rows=[*HONEST.rows[:-1], HONEST.rows[-1] | {"pnl": "1"}]),
        "the rows are not the trades",
    ),
    "a trade still open in the history": (
        replace(HONEST, rows=[*HONEST.rows[:-1], HONEST.rows[-1] | {"status": "open", "pnl": None}]),
        "the rows are not the trades",
    ),
    "money that moved without a trade": (
        replace(HONEST, ledger=[*HONEST.ledger, {"change": Decimal(-2), "position_id": 4711}]),
        "the broker's ledger moved",
    ),
    "a balance that its ledger does not explain": (
        replace(HONEST, balances=[{"amount": OPENING, "ledger": OPENING + 1}]),
        "the broker's ledger moved",
    ),
    "a win that counts twice": (with_score(wins=3), "the bot counted"),
    "a loss that does not count": (with_score(losses=1), "the bot counted"),
    "a profit that counts twice": (with_score(total=Decimal(1)), "the bot counted"),
    "no score": (replace(HONEST, score=None), "the bot counted"),
    "an order of unknown fate": (
        with_last(lambda record: msgspec.structs.replace(record, state=OrderState.UNKNOWN)),
        "it is not clear what became of the orders [4]",
    ),
    "a bot that runs on": (
        replace(HONEST, status=a_status(HONEST.config, BotState.RUNNING)),
        "it has not stopped",
    ),
}


@pytest.mark.parametrize("name", FALSIFIED)
def test_what_is_falsified_is_named(name: str) -> None:
    book, expected = FALSIFIED[name]
    problems = list(book.problems())
    assert any(expected in problem for problem in problems), problems


def test_a_stake_that_was_raised_twice_for_one_loss_is_against_the_rules() -> None:
    raised = a_trade(2, Decimal(8), Decimal(-8), OPENING - 2)
    book = booked(replace(a_day(LOSS), records=[*a_day(LOSS).records, raised]))
    assert "order #2 is against the rules" in list(book.problems())


def test_an_order_past_its_stop_is_against_the_rules() -> None:
    day = a_day(LOSS, LOSS, **LIMITED)
    beyond = a_trade(3, Decimal(5), Decimal(-5), OPENING - 10)
    assert "order #3 is against the rules" in list(booked(replace(day, records=[*day.records, beyond])).problems())


def test_a_second_position_at_the_same_time_is_against_the_rules() -> None:
    first, second = a_trade(1, Decimal(2), Decimal(-2)), a_trade(2, Decimal(2), Decimal(-2))
    late = msgspec.structs.replace(first, updated_at=second.updated_at)
    assert "order #2 is against the rules" in list(booked(replace(a_day(LOSS), records=[late, second])).problems())


def test_an_order_after_the_days_last_one_is_against_the_rules() -> None:
    rules = {"amount": 4, "limits": {"maxTradesPerDay": 1}, **FREE}
    day = a_day(WIN, **rules)
    more = a_trade(2, Decimal(4), Decimal(-4), OPENING + 4)
    assert "order #2 is against the rules" in list(booked(replace(day, records=[*day.records, more])).problems())
