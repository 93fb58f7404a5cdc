"""What `make watch` shows of what it hears."""

import io
from typing import Any

import pytest
from rich.console import Console

from deploy.local.screen import Score, Screen

CANDLE = {"time": 1_790_000_060, "open": 1.1, "high": 1.3, "low": 1.0, "close": 1.25, "volume": 0}
OPENED = {
    "tradeId": "7", "positionId": 1, "activeName": "EURUSD-OTC", "activeId": 76, "direction": "CALL", "amount": 10,
    "expirationSeconds": 30, "accountType": "demo", "timestamp": "2026-11-24T12:00:00Z", "userId": "u", "seq": 1,
}  # fmt: skip
COMPLETED = {
    "tradeId": "7", "positionId": 1, "asset": "EURUSD-OTC", "activeId": 76, "direction": "CALL", "amount": 10,
    "result": "WIN", "resultado": "WIN", "pnl": 8.2, "accountType": "demo", "strategy": "aggressive",
    "openedAt": "2026-11-24T12:00:00Z", "closedAt": "2026-11-24T12:00:30Z", "timestamp": "2026-11-24T12:00:30Z",
    "userId": "u", "seq": 2,
}  # fmt: skip


@pytest.fixture
def screen() -> Screen:
    return Screen("demo@example.test", "EURUSD-OTC", 60)


def shown(screen: Screen) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(screen)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_before_anything_is_heard(screen: Screen) -> None:
    text = shown(screen)
    assert "demo@example.test" in text
    assert "waiting for the first candle" in text


@pytest.mark.parametrize(("event", "data"), [("historical-candles", [CANDLE]), ("candle-update", CANDLE)])
def test_the_running_candle(screen: Screen, event: str, data: Any) -> None:
    screen.hear(event, data)
    assert "O 1.1   H 1.3   L 1   C 1.25" in shown(screen)


def test_why_there_is_no_candle(screen: Screen) -> None:
    screen.hear("subscription-error", {"message": "Asset not found: X", "error": "ASSET_NOT_FOUND"})
    assert "Asset not found: X" in shown(screen)


def test_what_the_bot_does(screen: Screen) -> None:
    screen.hear("bot:status-update", {"status": "Tracking results...", "currentAsset": "EURUSD-OTC", "state": "x"})
    assert "Tracking results... (EURUSD-OTC)" in shown(screen)


def test_a_trade_is_open_and_then_has_a_result(screen: Screen) -> None:
    screen.hear("position:opened", OPENED)
    assert "open" in row_of(screen)
    screen.hear("trade_completed", COMPLETED)
    row = row_of(screen)
    assert "WIN" in row
    assert "+8.20" in row


def row_of(screen: Screen) -> str:
    (row,) = [line for line in shown(screen).splitlines() if "CALL" in line]
    return row


def test_the_total(screen: Screen) -> None:
    screen.begin("running", Score(total_pnl=-3.0, win_rate=25.0, total_trades=4, wins=1, losses=2, ties=1))
    assert "-3.00   1 won, 2 lost, 1 tied, 25 %" in shown(screen)
    screen.hear("pnl_update", {"totalPnl": 5.2, "winRate": 40, "totalTrades": 5, "wins": 2, "losses": 2, "ties": 1})
    assert "+5.20   2 won, 2 lost, 1 tied, 40 %" in shown(screen)


def test_only_the_last_trades_are_kept(screen: Screen) -> None:
    for number in range(30):
        screen.hear("position:opened", OPENED | {"tradeId": str(number), "amount": number})
    stakes = [line for line in shown(screen).splitlines() if "CALL" in line]
    assert len(stakes) == 12
    assert "29.00" in stakes[0]


def test_other_events_change_nothing(screen: Screen) -> None:
    before = shown(screen)
    for event in ("subscribed", "bot_status", "position:closed", "something-new"):
        screen.hear(event, {"anything": 1})
    assert shown(screen) == before
