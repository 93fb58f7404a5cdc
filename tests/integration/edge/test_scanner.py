"""What the scanner found, as clients ask for it over REST; the rows are in the real database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from libs.contracts import rpc
from libs.contracts.market import Feed
from libs.contracts.orders import Direction
from libs.contracts.rpc import ErrorCode, RpcError
from libs.contracts.scanner import ScannedCandle, StrategySignal
from libs.store import Database
from libs.store.scanner import Close, Signals, Window
from tests.integration.edge.backend import Backend
from tests.integration.edge.client import Edge
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SIZE = 60


@pytest_asyncio.fixture(loop_scope="session")
async def signals(supabase_server: SupabaseServer) -> AsyncIterator[Signals]:
    """Of 76, 20 won; of 81, 57 won and 3 lost; of 82, too few."""
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        signals = Signals(database)
        for active_id, wins, losses in ((76, 20, 0), (81, 57, 3), (82, 5, 0)):
            await outcomes(signals, active_id, wins, losses)
        await signals.count(NOW, Window(86400, 60))
        yield signals
        await signals.count(NOW + timedelta(days=30), Window(60, 15))


async def outcomes(signals: Signals, active_id: int, wins: int, losses: int) -> None:
    ends = [int(NOW.timestamp()) - 2 * SIZE * number for number in range(1, wins + losses + 1)]
    said = (StrategySignal(strategy="aggressive", direction=Direction.CALL, confidence=62),)
    await signals.record(
        ScannedCandle(
            id="scanned",
            at=NOW,
            active_id=active_id,
            name=f"Asset {active_id}",
            size=SIZE,
            end=end,
            close=1.0,
            signals=said,
        )
        for end in ends
    )
    await signals.decide(
        Close(Feed(active_id, SIZE), end + SIZE, 2.0 if number < wins else 0.5) for number, end in enumerate(ends)
    )


async def test_the_best_with_enough_signals_are_ranked(edge: Edge, person: Person, signals: Signals) -> None:
    status, answer = await edge.get("/api/scanner/top20", person)
    assert (status, answer["success"], answer["count"]) == (200, True, 2)
    assert [row["active_id"] for row in answer["data"]] == ["76", "81"]
    first = answer["data"][0]
    shown = {name: first[name] for name in ("ativo_nome", "timeframe", "total_signals", "total_wins", "win_rate")}
    assert shown == {
        "ativo_nome": "Asset 76", "timeframe": 60, "total_signals": 20, "total_wins": 20, "win_rate": 100.0
    }  # fmt: skip
    assert first["last_updated"].endswith("Z")


async def test_many_signals_may_count_for_more_than_a_few_lucky_ones(
    edge: Edge, person: Person, signals: Signals
) -> None:
    _, answer = await edge.get("/api/scanner/top20?rank=wilson", person)
    assert [(row["active_id"], row["wilson_lower"]) for row in answer["data"]] == [("81", 86.3), ("76", 83.89)]
    status, answer = await edge.get("/api/scanner/top20?rank=luck", person)
    assert (status, answer["field"]) == (400, "rank")


async def test_clients_read_the_same_from_the_table(
    edge: Edge, person: Person, signals: Signals, supabase_server: SupabaseServer
) -> None:
    """The query of the market scanner's page (api-contract §9.12)."""
    columns = "active_id,ativo_nome,timeframe,win_rate,total_signals,total_wins,total_losses,last_updated"
    path = f"/rest/v1/scanner_performance?select={columns}&total_signals=gte.15&order=win_rate.desc&limit=20"
    status, rows = await supabase_server.as_person(person, "GET", path)
    assert status == 200
    assert [(row["active_id"], float(row["win_rate"])) for row in rows] == [("76", 100), ("81", 95)]


async def test_an_asset_on_all_timeframes(edge: Edge, person: Person, signals: Signals) -> None:
    status, answer = await edge.get("/api/scanner/asset/81", person)
    assert (status, answer["count"]) == (200, 1)
    assert (answer["data"][0]["total_losses"], answer["data"][0]["total_timeouts"]) == (3, 0)
    status, answer = await edge.get("/api/scanner/asset/4711", person)
    assert (status, answer["code"], answer["field"]) == (404, "ASSET_NOT_FOUND", "activeId")
    status, answer = await edge.get("/api/scanner/asset/EURUSD", person)
    assert (status, answer["code"], answer["field"]) == (400, "INVALID_REQUEST", "activeId")


async def test_the_newest_signals_and_what_changed_last_are_bare_arrays(
    edge: Edge, person: Person, signals: Signals
) -> None:
    status, rows = await edge.get("/api/market-scanner", person)
    assert (status, len(rows)) == (200, 20)
    times = [row["signal_timestamp"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert {(row["result"], row["signal_direction"]) for row in rows} == {("WIN", "CALL")}
    status, rows = await edge.get("/api/strategy-performance", person)
    assert status == 200
    assert {row["active_id"] for row in rows} >= {"76", "81", "82"}, "and those of other tests"
    status, totals = await edge.get("/api/strategy-performance?by=strategy", person)
    assert (status, [row["total_signals"] for row in totals if row["strategy_id"] == "aggressive"]) == (200, [85])


async def test_administrators_see_as_many_of_the_newest_signals_as_they_want(
    edge: Edge, person: Person, signals: Signals, supabase_server: SupabaseServer
) -> None:
    analyst = await supabase_server.sign_up()
    await supabase_server.appoint(analyst, "analyst")
    path = "/api/admin/metrics/activity"
    for query, count in (("", 20), ("?limit=3", 3), ("?limit=200", 85)):
        status, body = await edge.get(path + query, analyst)
        assert (status, body["success"], len(body["data"])) == (200, True, count)
        times = [row["signal_timestamp"] for row in body["data"]]
        assert times == sorted(times, reverse=True)
    row = next(row for row in body["data"] if row["active_id"] == "76")
    assert row["created_at"].endswith("Z")
    told = {name: row[name] for name in ("ativo_nome", "timeframe", "signal_direction", "signal_price", "result")}
    assert told == {
        "ativo_nome": "Asset 76", "timeframe": 60, "signal_direction": "CALL", "signal_price": 1.0, "result": "WIN",
    }  # fmt: skip
    status, body = await edge.get(f"{path}?limit=201", analyst)
    assert (status, body["field"]) == (400, "limit")
    assert (await edge.get(path, person))[0] == 403


async def test_administrators_count_at_once(
    edge: Edge, backend: Backend, person: Person, supabase_server: SupabaseServer
) -> None:
    status, answer = await edge.post("/api/scanner/aggregate", person)
    assert (status, answer["code"], backend.asked) == (403, "FORBIDDEN", [])
    boss = await supabase_server.sign_up()
    await supabase_server.appoint(boss, "admin")
    status, answer = await edge.post("/api/scanner/aggregate", boss)
    expected: dict[str, Any] = {"success": True, "aggregated": 7, "upserted": 3, "removed": 1}
    assert (status, answer["success"], answer["result"]) == (200, True, expected)
    assert len(backend.requests(rpc.Nothing)) == 1
    backend.refusals[rpc.COUNT_SCANNER.name] = RpcError(ErrorCode.UNAVAILABLE, "away")
    status, answer = await edge.post("/api/scanner/aggregate", boss)
    assert (status, answer["code"]) == (503, "UNAVAILABLE")
