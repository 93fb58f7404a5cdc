"""The events' shapes, as clients read them (api-contract §8.1)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.codec import Message
from libs.contracts.orders import TradeRecorded
from services.socket_edge import events, wire
from services.socket_edge.news import Step
from tests.messages import NOW, USER, a_closing, a_score, a_settlement, an_opening

ORDER = an_opening().order


def a_status(**changes: Any) -> BotStatus:
    fields: dict[str, Any] = {
        "id": "status-1", "user": USER, "at": NOW, "run": "run-1", "number": 3, "state": BotState.RUNNING,
        "activity": Activity.ANALYZING, "label": "Analyzing markets...", "config": BotConfig(), "started_at": NOW,
    }  # fmt: skip
    return BotStatus(**fields | changes)


def as_read(payload: Message) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(wire.encode(payload))
    return read


def test_an_opened_position() -> None:
    news = events.of_ledger(TradeRecorded(id="1", at=NOW, trade_id=7, opened=an_opening()))
    assert news is not None
    ((told, payload), (also, same)) = news.events
    assert (told.name, also.name, also.namespace) == ("position:opened", "trade:new", "/bot")
    assert as_read(same)["tradeId"] == "7"
    assert as_read(payload) == {
        "positionId": 77120031,
        "tradeId": "7",
        "activeName": "EURUSD-OTC",
        "activeId": 76,
        "direction": "CALL",
        "amount": 10,
        "expirationSeconds": 10,
        "accountType": "demo",
        "timestamp": "2026-11-24T12:00:00Z",
        "userId": USER,
        "seq": 0,
        "prevSeq": 0,
    }
    assert news.order_id == "", "an opening waits for nothing"


def test_a_closed_trade_is_told_twice_under_both_names() -> None:
    news = events.of_ledger(TradeRecorded(id="1", at=NOW, trade_id=7, closed=a_closing()))
    assert news is not None
    assert (news.order_id, news.step) == (ORDER.order_id, Step.TRADE)
    (closed_name, closed), (completed_name, completed) = news.events
    assert (closed_name.name, completed_name.name) == ("position:closed", "trade_completed")
    assert as_read(closed) == {
        "positionId": 77120031,
        "tradeId": "7",
        "resultado": "WIN",
        "pnl": 8.2,
        "timestamp": "2026-11-24T12:00:10Z",
        "userId": USER,
        "seq": 0,
        "prevSeq": 0,
    }
    assert as_read(completed) == {
        "tradeId": "7",
        "positionId": 77120031,
        "asset": "EURUSD-OTC",
        "activeId": 76,
        "direction": "CALL",
        "amount": 10,
        "result": "WIN",
        "resultado": "WIN",
        "pnl": 8.2,
        "accountType": "demo",
        "strategy": "aggressive",
        "openedAt": "2026-11-24T12:00:00Z",
        "closedAt": "2026-11-24T12:00:10Z",
        "timestamp": "2026-11-24T12:00:10Z",
        "userId": USER,
        "seq": 0,
        "prevSeq": 0,
    }


@pytest.mark.parametrize(("profit", "result"), [("8.20", "WIN"), ("-10", "LOSS"), ("0", "TIE")])
def test_the_sign_of_the_profit_is_the_result(profit: str, result: str) -> None:
    closing = a_closing(settlement=a_settlement(profit=Decimal(profit)))
    news = events.of_ledger(TradeRecorded(id="1", at=NOW, trade_id=7, closed=closing))
    assert news is not None
    assert as_read(news.events[0][1])["resultado"] == result


def test_a_record_of_nothing_is_not_told() -> None:
    assert events.of_ledger(TradeRecorded(id="1", at=NOW, trade_id=7)) is None


def test_a_score() -> None:
    score = a_score(
        order_id=ORDER.order_id, profit=Decimal("8.20"), total=Decimal("-1.80"), wins=1, losses=1, ties=1, sequence=3
    )
    news = events.of_score(score)
    ((name, payload),) = news.events
    assert (name.name, news.order_id, news.step) == ("pnl_update", ORDER.order_id, Step.SCORE)
    assert as_read(payload) == {
        "pnl": 8.2,
        "totalPnl": -1.8,
        "winRate": 33.33,
        "totalTrades": 3,
        "wins": 1,
        "losses": 1,
        "ties": 1,
        "accountType": "demo",
        "timestamp": "2026-11-24T12:00:00Z",
        "userId": USER,
        "seq": 0,
        "prevSeq": 0,
    }


def test_before_the_first_trade_the_win_rate_is_zero() -> None:
    assert events.win_rate(a_score()) == 0.0


def test_a_status_ends_on_the_human_text() -> None:
    news = events.of_status(a_status())
    (first, state), (last, label) = news.events
    assert (first.name, last.name) == ("bot_status", "bot:status-update")
    assert as_read(state) == {
        "status": "analyzing",
        "label": "Analyzing markets...",
        "currentAsset": None,
        "activeId": None,
        "accountType": "demo",
        "timestamp": "2026-11-24T12:00:00Z",
        "userId": USER,
        "seq": 0,
        "prevSeq": 0,
    }
    assert as_read(label) == {
        "status": "Analyzing markets...",
        "state": "analyzing",
        "currentAsset": None,
        "activeId": None,
        "accountType": "demo",
        "timestamp": "2026-11-24T12:00:00Z",
        "userId": USER,
        "seq": 0,
        "prevSeq": 0,
    }


@pytest.mark.parametrize("activity", [Activity.WIN, Activity.LOSS, Activity.TIE])
def test_a_result_waits_for_its_trade(activity: Activity) -> None:
    news = events.of_status(a_status(activity=activity, order_id="order-1"))
    assert (news.order_id, news.step) == ("order-1", Step.RESULT)


@pytest.mark.parametrize("activity", [Activity.OPENING, Activity.TRACKING, Activity.STOPPED])
def test_other_statuses_wait_for_nothing(activity: Activity) -> None:
    assert events.of_status(a_status(activity=activity, order_id="order-1")).order_id == ""


def test_a_connection_is_told_as_a_label() -> None:
    ((name, payload),) = events.of_connection(USER, NOW).events
    assert (name.name, as_read(payload)["status"]) == ("bot:status-update", "Connected to broker")
