"""Real market data as the broker's market."""

import csv
import gzip
from pathlib import Path

import pytest

from deploy.local.settings import ROOT
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.paper_broker_service.wire import Wire, connected

GBPUSD = 81
DATA = ROOT.parent / "shared" / "data" / "market" / "gbpusd-m1-bid-2012.csv.gz"

Prices = tuple[float, float, float, float]


def a_file(directory: Path) -> Path:
    """500 minutes with a weekend in the middle."""
    path = directory / "gbp.csv"
    lines = ["timestamp,open,high,low,close"]
    for minute in range(500):
        day, rest = 3 if minute < 250 else 6, minute % 250
        opens = 1.5 + minute * 0.0007
        lines.append(
            f"2012-02-0{day} {rest // 60:02}:{rest % 60:02}:00+00:00,"
            f"{opens:.5f},{opens + 0.0004:.5f},{opens - 0.0003:.5f},{opens + 0.0001 * (minute % 4):.5f}"
        )
    path.write_text("\n".join(lines))
    return path


def rows(path: Path) -> list[Prices]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [
            (float(row["open"]), float(row["high"]), float(row["low"]), float(row["close"]))
            for row in csv.DictReader(file)
        ]


async def shown(wire: Wire, size: int, count: int) -> list[Prices]:
    query = {"active_id": GBPUSD, "size": size, "count": count, "only_closed": True}
    candles = (await wire.call("quotes-history.get-candles", "2.0", query))["candles"]
    return [(each["open"], each["max"], each["min"], each["close"]) for each in candles]


@pytest.mark.parametrize(("speed", "size"), [(60, 1), (12, 5), (1, 60)])
async def test_the_candles_of_the_file_come_out_exactly(
    start_paper_broker: StartPaperBroker, tmp_path: Path, speed: int, size: int
) -> None:
    path = a_file(tmp_path)
    expected = rows(path)
    broker = await start_paper_broker(PREGAO_PAPER_MARKET=f"GBPUSD-OTC={path}", PREGAO_PAPER_SPEED=str(speed))
    async with connected(broker) as wire:
        candles = await shown(wire, size, 160)
        begin = expected.index(candles[0])
        assert candles == (expected * 2)[begin : begin + len(candles)]


@pytest.mark.skipif(not DATA.exists(), reason="the real market data is not on this machine")
async def test_a_real_month_is_traded_on(start_paper_broker: StartPaperBroker) -> None:
    expected = rows(DATA)
    broker = await start_paper_broker(PREGAO_PAPER_MARKET=f"GBPUSD-OTC={DATA}", PREGAO_PAPER_SPEED="60")
    async with connected(broker) as wire:
        candles = await shown(wire, 1, 1000)
        assert candles == expected[expected.index(candles[0]) :][: len(candles)]
        await wire.subscribe("portfolio.position-changed", "3.0")
        option = await wire.buy(active_id=GBPUSD)
        closed = await wire.event("position-changed", external_id=option["id"], status="closed")
        assert closed["close_quote"] in {row[3] for row in expected}


async def test_a_file_that_cannot_be_replayed_ends_the_start_with_one_line(
    start_paper_broker: StartPaperBroker, tmp_path: Path
) -> None:
    path = tmp_path / "gbp.csv"
    path.write_text("timestamp,open,high,low,close\n2012-02-03 00:00,1,2,3,4\n")
    with pytest.raises(RuntimeError, match=r"PREGAO_PAPER_MARKET: .*gbp\.csv: line 2: "):
        await start_paper_broker(PREGAO_PAPER_MARKET=f"GBPUSD-OTC={path}")
