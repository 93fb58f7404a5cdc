"""Two real months, GBP/USD of February 2012 and USD/JPY of February 2013, a minute a second, and bots on them."""

import asyncio
import csv
import gzip
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import aiohttp
import pytest

from deploy.local.settings import ROOT
from tests.e2e.stack import Stack
from tests.e2e.user import User, money, sign_up

MARKET = ROOT.parent / "shared" / "data" / "market"
FILES = {"GBPUSD-OTC": MARKET / "gbpusd-m1-bid-2012.csv.gz", "USDJPY-OTC": MARKET / "usdjpy-m1-bid-2013.csv.gz"}
SPEED = 60
SIZE = 10
"""Seconds of a candle; each has ten minutes of the file in it."""

pytestmark = [
    pytest.mark.takes(60),
    pytest.mark.skipif(not MARKET.exists(), reason=f"the recorded months are not in {MARKET}"),
]


class Bar(NamedTuple):
    open: float
    high: float
    low: float
    close: float


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    files = ",".join(f"{ticker}={path}" for ticker, path in FILES.items())
    settings = {
        "PREGAO_PAPER_MARKET": files,
        "PREGAO_PAPER_SPEED": str(SPEED),
    }
    stack = Stack(tmp_path_factory.mktemp("replay"), settings)
    stack.start()
    yield stack
    assert stack.interrupt() == 0


def minutes(ticker: str) -> list[Bar]:
    with gzip.open(FILES[ticker], "rt", encoding="utf-8", newline="") as file:
        return [Bar(*(float(row[name]) for name in Bar._fields)) for row in csv.DictReader(file)]


def merged(bars: Sequence[Bar]) -> Bar:
    return Bar(bars[0].open, max(bar.high for bar in bars), min(bar.low for bar in bars), bars[-1].close)


def bar(candle: dict[str, Any]) -> Bar:
    return Bar(*(candle[name] for name in Bar._fields))


async def candles(user: User, ticker: str, size: int) -> list[dict[str, Any]]:
    answer = await user.get("/api/candles", asset=ticker, timeframe=size, limit=100)
    assert answer.status == 200, answer
    shown: list[dict[str, Any]] = answer.body["candles"]
    return shown


@pytest.fixture
async def traders(http: aiohttp.ClientSession, replay: Stack) -> dict[str, User]:
    """A connected user for each file."""
    users = {ticker: await sign_up(http, replay.facts) for ticker in FILES}
    for user in users.values():
        assert (await user.post("/api/bot/connect")).status == 200
    return users


@pytest.mark.parametrize("ticker", FILES)
@pytest.mark.parametrize("size", [1, SIZE])
async def test_candles_are_those_of_the_file(traders: dict[str, User], ticker: str, size: int) -> None:
    """The minutes of the file, one a second, none skipped and none invented."""
    shown = [bar(candle) for candle in (await candles(traders[ticker], ticker, size))[:-1]]
    file = minutes(ticker)
    assert len(shown) > 50
    assert any(
        all(merged(file[start + n * size : start + (n + 1) * size]) == shown[n] for n in range(len(shown)))
        for start in range(len(file) - len(shown) * size)
    )


@pytest.mark.timeout(120)
async def test_bots_trade_on_the_recorded_prices(traders: dict[str, User]) -> None:
    await asyncio.gather(*(trade_once(user, ticker) for ticker, user in traders.items()))


async def trade_once(user: User, ticker: str) -> None:
    bot = {"mode": "manual", "asset": ticker, "timeframe": SIZE, "amount": 50}
    async with user.socket() as socket:
        started = await user.post("/api/bot/start-runtime", {"config": bot})
        assert started.status == 200, started
        opened = await socket.wait("position:opened")
        closed = await socket.wait("position:closed")
    assert opened["activeName"] == ticker
    assert opened["expirationSeconds"] == SIZE
    [row] = await user.rows("trade_history", id=f"eq.{closed['tradeId']}")
    expect_recorded_prices(row, minutes(ticker))


def expect_recorded_prices(row: dict[str, Any], file: list[Bar]) -> None:
    """Both quotes lie inside the month, and the result is what they say."""
    opened, closed = money(row["open_quote"]), money(row["close_quote"])
    low, high = min(bar.low for bar in file), max(bar.high for bar in file)
    assert low <= opened <= high
    assert low <= closed <= high
    up = row["direction"] == "call"
    expected = "TIE" if opened == closed else "WIN" if (closed > opened) == up else "LOSS"
    assert row["resultado"] == expected
