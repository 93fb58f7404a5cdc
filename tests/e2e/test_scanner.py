"""The market scanner, from the broker's candles to what a user reads: nothing scripted."""

from collections.abc import Sequence

import pytest

from libs.store import Database
from libs.store.rows import read_rows
from libs.store.scanner import SignalRow
from tests.e2e.stack import Stack
from tests.e2e.user import User, until

pytestmark = pytest.mark.takes(45)

ASSET, SIZE = "EURUSD-OTC", 10


@pytest.mark.timeout(240)
async def test_signals_are_decided_by_the_brokers_candle_of_their_expiry(stack: Stack, user: User) -> None:
    active_id = await number_of(user, ASSET)
    facts = stack.facts
    signals: Sequence[SignalRow] = ()
    async with await Database.connect(facts.supabase_url, facts.supabase_secret_key) as database:

        async def decided() -> bool:
            nonlocal signals
            query = database.client.table("strategy_trades").select("*").eq("active_id", str(active_id))
            query = query.eq("timeframe", SIZE).in_("result", ["WIN", "LOSS", "TIE"])
            signals = read_rows(await database.execute(query, "strategy_trades"), SignalRow)
            return len(signals) >= 5

        await until(decided, timeout=90)
    closes = await closes_of(user, ASSET)
    for signal in signals:
        end = int(signal.signal_timestamp.timestamp())
        assert (signal.signal_price, signal.result_price) == (closes[end], closes[end + SIZE]), signal
        assert signal.result == result(signal), signal

    async def counted() -> bool:
        answer = await user.get(f"/api/scanner/asset/{active_id}")
        assert answer.status == 200, answer
        return any(row["timeframe"] == SIZE and row["total_signals"] >= 1 for row in answer.body["data"])

    await until(counted, timeout=60)


def result(signal: SignalRow) -> str:
    assert signal.result_price is not None
    if signal.result_price == signal.signal_price:
        return "TIE"
    return "WIN" if (signal.result_price > signal.signal_price) == (signal.signal_direction == "CALL") else "LOSS"


async def number_of(user: User, key: str) -> int:
    answer = await user.get("/api/assets")
    [number] = [asset["id"] for group in answer.body["assets"].values() for asset in group if asset["key"] == key]
    assert isinstance(number, int)
    return number


async def closes_of(user: User, asset: str) -> dict[int, float]:
    """By the end of the candle."""
    answer = await user.get("/api/candles", asset=asset, timeframe=SIZE, limit=100)
    assert answer.status == 200, answer
    return {candle["time"]: candle["close"] for candle in answer.body["candles"]}
