"""Signals as the scanner tells them, recorded, decided and counted, whoever dies in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import SIGNALS
from libs.contracts import subjects
from libs.contracts.ids import derived_id, new_id
from libs.contracts.market import Candle
from libs.contracts.orders import Direction
from libs.contracts.rpc import CANDLES, COUNT_SCANNER, CandlePage, CandleQuery, ErrorCode, Nothing, RpcError
from libs.contracts.scanner import ScannedCandle, ScannerRanking, StrategySignal
from libs.store import Database
from libs.store.scanner import Signals
from tests.integration.analytics.books import until
from tests.integration.nats_server import eventually
from tests.integration.service_process import ServiceProcess, StartService
from tests.integration.supabase_server import SupabaseServer
from tests.messages import a_candle

pytestmark = [pytest.mark.takes(40), pytest.mark.timeout(90)]

SIZE = 60


class Desk:
    """The scanner's and the gateway's side of the bus, and a look into the database."""

    def __init__(self, bus: Bus, signals: Signals) -> None:
        self.bus = bus
        self.signals = signals
        self.history: list[Candle] | None = None
        """What the broker knows of the past; None while it cannot be reached."""
        self.unanswered: set[int] = set()
        """Actives whose history nobody gets an answer for."""
        self.rankings: list[ScannerRanking] = []
        self.now = int(bus.clock.now().timestamp()) // SIZE * SIZE

    async def start(self) -> None:
        await self.bus.serve("gateway", {CANDLES: self._candles})

    async def tell(self, end: int, close: float, *strategies: str, active_id: int = 76) -> None:
        """A candle has closed, and these strategies say CALL."""
        signals = tuple(StrategySignal(strategy=name, direction=Direction.CALL, confidence=60) for name in strategies)
        candle = ScannedCandle(
            id=derived_id("scanned", active_id, SIZE, end), at=self.bus.clock.now(), active_id=active_id,
            name="EUR/USD OTC", size=SIZE, end=end, close=close, signals=signals,
        )  # fmt: skip
        await self.bus.append(subjects.scanner_signal(candle.feed), candle, id=new_id())

    async def results(self) -> dict[int, str]:
        """By the signal's time."""
        rows = await self.signals.latest(1000)
        return {int(row.signal_timestamp.timestamp()): row.result for row in rows}

    async def until_results(self, expected: dict[int, str]) -> None:
        async def so() -> bool:
            return await self.results() == expected

        await until(so)

    async def _candles(self, query: CandleQuery) -> CandlePage:
        if query.active_id in self.unanswered:
            raise RpcError(ErrorCode.TIMEOUT, "no answer")
        if self.history is None:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, "away")
        return CandlePage(candles=tuple(self.history[-query.count :]))


@pytest.fixture
async def desk(bus: Bus, no_signals: SupabaseServer) -> AsyncIterator[Desk]:
    async with await Database.connect(no_signals.url, no_signals.secret_key) as database:
        desk = Desk(bus, Signals(database))
        await desk.start()
        yield desk


Start = Callable[[], Awaitable[ServiceProcess]]


@pytest.fixture
async def start(start_service: StartService, no_signals: SupabaseServer, bus: Bus) -> Start:
    async def start() -> ServiceProcess:
        return await start_service("analytics", "analytics", **no_signals.environment, PREGAO_SCANNER_INTERVAL="0.2")

    return start


def at(end: int, close: float) -> Candle:
    return a_candle(
        active_id=76, size=SIZE, start=end - SIZE, end=end, close=close, at=datetime.fromtimestamp(end, UTC)
    )


async def test_a_signal_is_recorded_and_decided_by_the_next_close(desk: Desk, start: Start) -> None:
    await start()
    await desk.tell(desk.now, 1.1, "aggressive")
    await desk.until_results({desk.now: "PENDING"})
    await desk.tell(desk.now + SIZE, 1.2)
    await desk.until_results({desk.now: "WIN"})


async def test_repetitions_and_two_processes_are_harmless(desk: Desk, start: Start) -> None:
    ends = [desk.now + number * SIZE for number in range(20)]
    for _ in range(3):
        for number, end in enumerate(ends):
            await desk.tell(end, 1.0 + number % 2, "aggressive")
    await asyncio.gather(start(), start())
    await desk.until_results(
        {end: ("WIN", "LOSS")[number % 2] for number, end in enumerate(ends)} | {ends[-1]: "PENDING"}
    )
    assert len(await desk.signals.latest(1000)) == 20


async def test_of_two_processes_one_counts_and_the_other_after_its_death(desk: Desk, start: Start) -> None:
    first, second = await asyncio.gather(start(), start())

    async def counts(process: ServiceProcess) -> float:
        return await process.metric("pregao_scanner_count_seconds_count")

    async def one_counts() -> bool:
        return await counts(first) + await counts(second) >= 5

    await until(one_counts)
    counting, waiting = (first, second) if await counts(first) else (second, first)
    assert await counts(waiting) == 0
    await counting.kill()

    async def the_other_counts() -> bool:
        return await counts(waiting) > 0

    await until(the_other_counts)


async def test_what_was_pending_through_a_crash_is_decided_by_the_candle_of_then(desk: Desk, start: Start) -> None:
    analytics = await start()
    long_ago = desk.now - 10 * SIZE
    await desk.tell(long_ago, 1.1, "aggressive")
    await desk.until_results({long_ago: "PENDING"})
    await analytics.kill()
    desk.history = [
        at(long_ago, 1.1), at(long_ago + SIZE, 1.0), *(at(long_ago + SIZE * number, 9.0) for number in range(2, 11)),
    ]  # fmt: skip
    await start()
    await desk.until_results({long_ago: "LOSS"})
    [row] = await desk.signals.latest(1)
    assert (row.result_price, row.result_timestamp) == (1.0, datetime.fromtimestamp(long_ago + SIZE, UTC))


async def test_signals_wait_for_a_broker_that_is_away(desk: Desk, start: Start) -> None:
    analytics = await start()
    long_ago = desk.now - 5 * SIZE
    await desk.tell(long_ago, 1.1, "aggressive")
    await eventually(lambda: len(analytics.logged("verdicts_wait")) >= 2)
    assert await desk.results() == {long_ago: "PENDING"}
    desk.history = [at(long_ago, 1.1), at(long_ago + SIZE, 1.1)]
    await desk.until_results({long_ago: "TIE"})


async def test_actives_without_an_answer_hold_up_no_other(desk: Desk, start: Start) -> None:
    older = {desk.now - number * SIZE: active_id for number, active_id in enumerate(range(80, 88), start=12)}
    for end, active_id in older.items():
        await desk.tell(end, 1.1, "aggressive", active_id=active_id)
    long_ago = desk.now - 10 * SIZE
    await desk.tell(long_ago, 1.1, "aggressive")
    desk.unanswered = set(older.values())
    desk.history = [at(long_ago, 1.1), at(long_ago + SIZE, 1.0)]
    await start()
    await desk.until_results(dict.fromkeys(older, "PENDING") | {long_ago: "LOSS"})


async def test_without_a_candle_there_is_no_verdict_from_another(desk: Desk, start: Start) -> None:
    """The next candle must have had the time to end before that is certain."""
    recent = int((desk.bus.clock.now() - timedelta(seconds=SIZE + 30)).timestamp())
    long_ago = desk.now - 10 * SIZE
    desk.history = [at(long_ago, 1.1), at(long_ago + 2 * SIZE, 1.3), at(recent, 1.1)]
    await desk.tell(long_ago, 1.1, "aggressive")
    await desk.tell(recent, 1.1, "aggressive")
    await start()
    await desk.until_results({long_ago: "TIMEOUT", recent: "PENDING"})


async def test_the_database_may_be_away(desk: Desk, start: Start, no_signals: SupabaseServer) -> None:
    analytics = await start()
    no_signals.stop()
    await desk.tell(desk.now, 1.1, "aggressive")
    await desk.tell(desk.now + SIZE, 1.0)
    await eventually(lambda: analytics.logged("message_handed_back"))
    no_signals.start()
    await desk.until_results({desk.now: "LOSS"})


async def test_the_ranking_is_told_once_for_every_change(desk: Desk, start: Start) -> None:
    async def hear(batch: list[Delivery]) -> None:
        desk.rankings += [delivery.decode(ScannerRanking) for delivery in batch]

    reader = await desk.bus.consume(Consumer(SIGNALS.name, "reader", subjects=(subjects.SCANNER_RANKING,)), hear)
    first = desk.now - 20 * SIZE
    for number in range(16):
        await desk.tell(first + number * SIZE, 1.0 + number % 3, "aggressive")
    analytics = await start()
    await eventually(lambda: desk.rankings)
    for _ in range(3):
        counted = await desk.bus.call(COUNT_SCANNER, Nothing())
    assert (counted.aggregated, counted.upserted, counted.removed) == (1, 0, 0)
    [ranking] = desk.rankings
    [row] = ranking.rows
    assert (row.active_id, row.size, row.name) == (76, SIZE, "EUR/USD OTC")
    assert (row.signals, row.wins, row.losses, row.win_rate, row.wilson_lower) == (15, 10, 5, 66.67, 41.71)

    await analytics.kill()
    await start()
    await desk.bus.call(COUNT_SCANNER, Nothing())
    assert len(desk.rankings) == 1, "the same ranking is no news, whoever counts"

    await desk.tell(first + 16 * SIZE, 0.5)
    await eventually(lambda: len(desk.rankings) == 2)
    assert desk.rankings[1].rows[0].losses == 6
    await reader.stop()
