"""What the ledger says against what the broker's books say."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.ids import new_id
from libs.contracts.orders import TradeClosed, TradeOpened
from libs.contracts.rpc import BookedTrade
from libs.store.trades import KeptTrade, KeptTrades, row_of
from services.analytics.audit import Fault, Finding, compare
from tests.messages import NOW, OTHER_USER, USER, a_position, a_settlement, an_order

SINCE, UNTIL = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def a_trade(**changes: Any) -> BookedTrade:
    trade = BookedTrade(
        order=an_order(order_id=new_id()), position=a_position(), settlement=a_settlement(), missing=False,
        updated_at=NOW,
    )  # fmt: skip
    return msgspec.structs.replace(trade, **changes)


def event_of(trade: BookedTrade) -> TradeOpened | TradeClosed:
    order, position = trade.order, trade.position
    if trade.settlement is None:
        return TradeOpened(id=f"{order.order_id}.opened", at=trade.updated_at, order=order, position=position)
    return TradeClosed(
        id=f"{order.order_id}.closed", at=trade.updated_at, order=order, position=position, settlement=trade.settlement
    )


def kept_as(trade: BookedTrade, **changes: Any) -> KeptTrade:
    told = msgspec.structs.asdict(row_of(event_of(trade)))
    names = set(KeptTrade.__struct_fields__) - {"id", "created_at"}
    row = KeptTrade(id=1, created_at=NOW, **{name: told[name] for name in names})
    return msgspec.structs.replace(row, **changes)


def found(trades: list[BookedTrade], rows: list[KeptTrade], forgotten: frozenset[str] = frozenset()) -> list[Finding]:
    return list(compare(USER, trades, KeptTrades(tuple(rows), forgotten), SINCE, UNTIL))


@pytest.mark.parametrize("settlement", [None, a_settlement(), a_settlement(profit=Decimal(-10))])
def test_what_agrees_is_not_found(settlement: Any) -> None:
    trade = a_trade(settlement=settlement)
    assert found([trade], [kept_as(trade)]) == []


def test_a_row_that_is_gone_is_made_again_as_the_books_have_it() -> None:
    trade = a_trade()
    [finding] = found([trade], [])
    assert (finding.fault, finding.order_id, finding.right) == (Fault.MISSING, trade.order.order_id, event_of(trade))


def test_what_its_owner_has_deleted_stays_deleted() -> None:
    trade = a_trade()
    assert found([trade], [], frozenset({trade.order.order_id})) == []


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": OTHER_USER}, {"external_id": 1}, {"external_id": None}, {"type": "turbo-option"},
        {"account_type": "real"}, {"direction": "put"}, {"ativo_nome": "GBPUSD-OTC"}, {"valor": Decimal("10.01")},
        {"status": "open", "resultado": None, "pnl": None}, {"resultado": "LOSS"}, {"pnl": Decimal("8.21")},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_says_something_else_is_put_right_naming_what(change: dict[str, Any]) -> None:
    trade = a_trade()
    [finding] = found([trade], [kept_as(trade, **change)])
    assert (finding.fault, finding.right) == (Fault.ALTERED, event_of(trade))
    assert finding.what == f"{', '.join(sorted(change))} of {trade.order.order_id}"


def test_what_the_broker_says_now_counts() -> None:
    told = a_trade()
    corrected = msgspec.structs.replace(told, settlement=a_settlement(profit=Decimal(0)))
    [finding] = found([corrected], [kept_as(told)])
    assert finding.right == event_of(corrected)


def test_a_second_row_and_one_that_is_nobodys_are_left_to_a_human() -> None:
    trade = a_trade()
    [finding] = found([trade], [kept_as(trade), kept_as(trade, id=2, order_id=new_id())])
    assert (finding.fault, finding.right) == (Fault.UNKNOWN, None)
    assert "row 2" in finding.what


@pytest.mark.parametrize(
    "row",
    [
        {"user_id": OTHER_USER},
        {"created_at": UNTIL + timedelta(seconds=1)},
        {"data_abertura": SINCE - timedelta(seconds=1)},
    ],
    ids=["of another", "too new", "too old"],
)
def test_rows_that_the_books_cannot_tell_of_are_left_alone(row: dict[str, Any]) -> None:
    assert found([], [kept_as(a_trade(), **row)]) == []


def test_what_may_be_on_its_way_is_waited_for() -> None:
    assert found([a_trade(updated_at=UNTIL + timedelta(seconds=1))], []) == []


def test_a_position_that_the_broker_does_not_list_is_told() -> None:
    trade = a_trade(missing=True)
    [finding] = found([trade], [kept_as(trade)])
    assert (finding.fault, finding.right) == (Fault.NOT_BOOKED, None)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=12))
def test_after_a_repair_nothing_is_found(stories: list[tuple[bool, bool, bool]]) -> None:
    trades, rows = [], {}
    for settled, there, altered in stories:
        trade = a_trade(settlement=a_settlement() if settled else None)
        trades.append(trade)
        if there:
            rows[trade.order.order_id] = kept_as(trade, **({"valor": Decimal(1)} if altered else {}))
    findings = found(trades, list(rows.values()))
    by_order = {trade.order.order_id: trade for trade in trades}
    for finding in findings:
        assert finding.right is not None
        rows[finding.order_id] = kept_as(by_order[finding.order_id])
    assert len(findings) == sum(not there or altered for _, there, altered in stories)
    assert found(trades, list(rows.values())) == []
