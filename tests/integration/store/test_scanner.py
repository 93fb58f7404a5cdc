"""Signals, their verdicts and what they add up to, in a real database."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.market import Feed
from libs.contracts.orders import Direction
from libs.contracts.scanner import ScannedCandle, StrategySignal
from libs.store import Database
from libs.store.scanner import Close, ScannerRow, Signals, Window
from tests.integration.store.catalog import Catalog
from tests.integration.supabase_server import SupabaseServer

CALL, PUT = Direction.CALL, Direction.PUT
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
END = int(NOW.timestamp())
WINDOW = Window(seconds=1800, candles=60)


@pytest.fixture
async def signals(no_signals: SupabaseServer) -> AsyncIterator[Signals]:
    async with await Database.connect(no_signals.url, no_signals.secret_key) as database:
        yield Signals(database)


def a_scanned(end: int = END, close: float = 1.1, **changes: Any) -> ScannedCandle:
    """A candle whose close one strategy calls."""
    candle = ScannedCandle(
        id="scanned", at=NOW, active_id=76, name="EUR/USD OTC", size=60, end=end, close=close,
        signals=(StrategySignal(strategy="aggressive", direction=CALL, confidence=62),),
    )  # fmt: skip
    return msgspec.structs.replace(candle, **changes)


def said(*directions: Direction) -> tuple[StrategySignal, ...]:
    """By strategies `s0`, `s1`, …"""
    return tuple(
        StrategySignal(strategy=f"s{number}", direction=direction, confidence=50)
        for number, direction in enumerate(directions)
    )


async def results(signals: Signals) -> dict[tuple[str | None, int], str]:
    """Result by strategy and the signal's time."""
    rows = await signals.latest(1000)
    return {(row.strategy_id, int(row.signal_timestamp.timestamp())): row.result for row in rows}


async def outcomes(
    signals: Signals, wins: int, losses: int, active_id: int = 76, size: int = 60, ties: int = 0
) -> None:
    """Signals on every other candle that were decided so, the last of them at NOW."""
    for batch in range(0, wins + losses + ties, 100):
        part = range(batch, min(batch + 100, wins + losses + ties))
        ends = {number: END - 2 * number * size for number in part}
        closes = {number: 2.0 if number < wins else 0.5 if number < wins + losses else 1.0 for number in part}
        candles = [a_scanned(ends[number] - size, 1.0, active_id=active_id, size=size) for number in part]
        await signals.record(candles)
        await signals.decide(Close(Feed(active_id, size), ends[number], closes[number]) for number in part)


async def test_a_signal_is_decided_by_the_close_of_the_next_candle_alone(signals: Signals) -> None:
    await signals.record([a_scanned(signals=said(CALL, PUT))])
    others = [
        Close(Feed(76, 60), END, 2.0), Close(Feed(76, 60), END + 120, 2.0), Close(Feed(76, 30), END + 60, 2.0),
        Close(Feed(77, 60), END + 60, 2.0),
    ]  # fmt: skip
    assert await signals.decide(others) == 0
    assert set((await results(signals)).values()) == {"PENDING"}
    assert await signals.decide([Close(Feed(76, 60), END + 60, 1.2)]) == 2
    assert await results(signals) == {("s0", END): "WIN", ("s1", END): "LOSS"}
    [row, _] = await signals.latest(2)
    assert row.result_timestamp == NOW + timedelta(seconds=60)
    assert (row.signal_price, row.result_price) == (1.1, 1.2)
    assert row.price_diff == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("price", "call", "put"),
    [
        (1.1, "TIE", "TIE"), (1.10001, "WIN", "LOSS"), (1.09999, "LOSS", "WIN"), (None, "TIMEOUT", "TIMEOUT"),
        (1.1000000000000003, "WIN", "LOSS"),
    ],
)  # fmt: skip
async def test_the_smallest_difference_decides_and_none_is_a_tie(
    signals: Signals, price: float | None, call: str, put: str
) -> None:
    await signals.record([a_scanned(signals=said(CALL, PUT))])
    await signals.decide([Close(Feed(76, 60), END + 60, price)])
    assert await results(signals) == {("s0", END): call, ("s1", END): put}


async def test_repetitions_and_later_closes_change_nothing(signals: Signals) -> None:
    candles = [a_scanned(), a_scanned(END + 60, 1.2), a_scanned(END + 120, 1.0)]
    assert await signals.record([*candles, *candles]) == 2
    before = await signals.latest(10)
    assert await signals.record(candles) == 0
    assert await signals.record([a_scanned(END + 60, 9.9)]) == 0
    assert await signals.latest(10) == before
    assert await results(signals) == {
        ("aggressive", END): "WIN", ("aggressive", END + 60): "LOSS", ("aggressive", END + 120): "PENDING",
    }  # fmt: skip


async def test_what_should_have_been_decided_is_told_by_feed(signals: Signals) -> None:
    await signals.record([a_scanned(END - 120), a_scanned(END), a_scanned(END, active_id=77), a_scanned(END + 120)])
    told = await signals.overdue(NOW + timedelta(seconds=61))
    assert {(one.active_id, one.timeframe): one.expiries for one in told} == {
        (76, 60): (END - 60, END + 60),
        (77, 60): (END + 60,),
    }


async def test_ties_and_timeouts_are_counted_apart(signals: Signals) -> None:
    await outcomes(signals, wins=9, losses=6, ties=3)
    await signals.record([a_scanned(END - 6000)])
    await signals.decide([Close(Feed(76, 60), END - 5940, None)])
    counted = await signals.count(NOW, Window(seconds=86400, candles=60))
    assert (counted.aggregated, counted.upserted, counted.removed, counted.pending) == (1, 1, 0, 0)
    [row] = await signals.of_active(76)
    assert (row.total_signals, row.total_wins, row.total_losses) == (15, 9, 6)
    assert (row.total_ties, row.total_timeouts, row.win_rate) == (3, 1, 60.0)
    assert row.last_signal == NOW - timedelta(seconds=60)


async def test_only_what_changed_is_written_and_what_is_empty_is_deleted(signals: Signals) -> None:
    await outcomes(signals, wins=9, losses=6)
    await outcomes(signals, wins=4, losses=2, active_id=77)
    await signals.count(NOW, WINDOW)
    before = await signals.updated(10)
    counted = await signals.count(NOW + timedelta(seconds=1), WINDOW)
    assert (counted.aggregated, counted.upserted) == (2, 0)
    assert await signals.updated(10) == before

    await outcomes(signals, wins=5, losses=2, active_id=77)
    assert (await signals.count(NOW + timedelta(seconds=2), WINDOW)).upserted == 1
    assert [row.active_id for row in await signals.updated(1)] == ["77"]

    counted = await signals.count(NOW + timedelta(days=1), WINDOW)
    assert (counted.aggregated, counted.removed) == (0, 2)
    assert (await signals.updated(10), await signals.strategies(), await signals.latest(10)) == ([], [], [])


WRITES = (
    """insert into public.strategy_trades (
      active_id, ativo_nome, timeframe, strategy_id, signal_timestamp, signal_direction, signal_price, result
    )
    select (n % 3)::text, 'x', 60, 's' || n % 2, now(), 'CALL', 1, (array['PENDING', 'WIN', 'LOSS', 'TIE'])[1 + n % 4]
    from generate_series(1, 60) n;""",
    "update public.strategy_trades set result = 'TIMEOUT' where result = 'PENDING';",
    "update public.strategy_trades set result = 'WIN' where result = 'LOSS' and active_id = '1';",
    "delete from public.strategy_trades where result = 'TIE' or active_id = '2';",
)
COUNTS = """
select active_id, strategy_id, total_wins, total_losses, total_ties, total_timeouts from public.strategy_performance
where total_wins + total_losses + total_ties + total_timeouts > 0 order by 1, 2
"""
SIGNALS = """
select active_id, strategy_id, count(*) filter (where result = 'WIN') as total_wins,
  count(*) filter (where result = 'LOSS') as total_losses, count(*) filter (where result = 'TIE') as total_ties,
  count(*) filter (where result = 'TIMEOUT') as total_timeouts
from public.strategy_trades where result <> 'PENDING' group by 1, 2 order by 1, 2
"""


def test_the_counts_follow_the_signals_whatever_writes_them(catalog: Catalog) -> None:
    for done in range(1, len(WRITES) + 1):
        change = "".join(WRITES[:done])
        counted, signals = catalog.ask((change, COUNTS), (change, SIGNALS))
        assert counted == signals
        assert signals


async def test_a_signal_counts_as_long_as_its_window_says(signals: Signals) -> None:
    await outcomes(signals, wins=1, losses=0, size=10)
    await outcomes(signals, wins=1, losses=0, size=3600)
    for age, sizes in ((1800, [10, 3600]), (1801, [3600]), (60 * 3600, [3600]), (60 * 3600 + 1, [])):
        await signals.count(NOW + timedelta(seconds=age), WINDOW)
        assert [row.timeframe for row in await signals.of_active(76)] == sizes, age
        assert len(await signals.latest(10)) == len(sizes)


async def test_strategies_are_told_apart_and_added_up(signals: Signals) -> None:
    for number in range(1, 21):
        await signals.record([a_scanned(END - number * 60, signals=said(CALL, PUT))])
        await signals.record([a_scanned(END - number * 60, active_id=77, signals=said(CALL))])
        price = 1.2 if number <= 15 else 1.0
        await signals.decide(Close(Feed(active, 60), END - (number - 1) * 60, price) for active in (76, 77))
    await signals.count(NOW, WINDOW)
    [merged] = await signals.of_active(76)
    assert (merged.total_signals, merged.win_rate) == (40, 50.0)
    first, second = await signals.strategies()
    assert (first.strategy_id, first.actives, first.total_signals, first.win_rate) == ("s0", 2, 40, 75.0)
    assert (second.strategy_id, second.actives, second.total_signals, second.win_rate) == ("s1", 1, 20, 25.0)


async def test_the_ranking_is_of_those_with_enough_signals(signals: Signals) -> None:
    await outcomes(signals, 15, 0, active_id=1)
    await outcomes(signals, 14, 0, active_id=2)
    await outcomes(signals, 54, 6, active_id=3)
    await outcomes(signals, 18, 2, active_id=4)
    await signals.count(NOW, Window(seconds=86400, candles=60))

    def actives(rows: Sequence[ScannerRow]) -> list[str]:
        return [row.active_id for row in rows]

    assert actives(await signals.ranking(20)) == ["1", "3", "4"]
    assert actives(await signals.ranking(2)) == ["1", "3"]
    assert actives(await signals.ranking(20, "wilson")) == ["3", "1", "4"]


KNOWN = ((0, 0, 0.0), (15, 15, 79.61), (9, 15, 35.75), (54, 60, 79.85), (0, 20, 0.0), (1, 1, 20.65), (500, 1000, 46.91))
"""Wins, signals and the bound in percent, worked out by hand from Wilson's formula."""


def wilson(wins: int, total: int, z: float = 1.959963984540054) -> float:
    if total == 0:
        return 0.0
    p = wins / total
    spread = z * sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return 100 * (p + z * z / (2 * total) - spread) / (1 + z * z / total)


@pytest.mark.parametrize(("wins", "total", "bound"), KNOWN)
def test_the_formula_of_these_tests_is_wilsons(wins: int, total: int, bound: float) -> None:
    assert wilson(wins, total) == pytest.approx(bound, abs=0.005)


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_the_bound_is_below_the_rate_and_nears_it_with_more_signals(wins: int, more: int) -> None:
    total = wins + more
    assert 0 <= wilson(wins, total) + 1e-9 <= 100 * wins / total + 2e-9
    assert wilson(2 * wins, 2 * total) >= wilson(wins, total) - 1e-9


def test_the_database_has_the_same_formula(catalog: Catalog) -> None:
    cases = [(wins, total) for wins, total, _ in KNOWN] + [(wins, 997) for wins in range(0, 998, 83)]
    columns = ", ".join(f"private.wilson_lower({wins}, {total})::text as c{n}" for n, (wins, total) in enumerate(cases))
    [[row]] = catalog.ask(("", f"select {columns}"))
    for number, (wins, total) in enumerate(cases):
        assert float(str(row[f"c{number}"])) == pytest.approx(wilson(wins, total), abs=0.00501)
