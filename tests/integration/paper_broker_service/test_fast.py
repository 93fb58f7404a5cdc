"""A platform whose time passes sixty times as fast, as a client sees it: the rules of its clock are the same."""

from itertools import pairwise

from tests.integration.paper_broker import StartPaperBroker
from tests.integration.paper_broker_service.wire import EURUSD, connected

FEEDS = 20


async def test_an_option_of_a_minute_is_settled_while_twenty_feeds_run(start_paper_broker: StartPaperBroker) -> None:
    broker = await start_paper_broker(PREGAO_PAPER_CLOCK_SPEED="60", PREGAO_PAPER_ALWAYS_OPEN="1")
    async with connected(broker) as wire:
        data = await wire.call("binary-options.get-initialization-data", "3.0", {})
        actives = [int(active) for active in data["blitz"]["actives"]][:FEEDS]
        await wire.subscribe("portfolio.position-changed", "3.0")
        await wire.subscribe("quote-generated", "2.0", active_id=EURUSD)
        for active in actives:
            await wire.subscribe("candle-generated", "1.0", active_id=active, size=5)
        bought = await wire.buy(expiration_size=60)
        closed = await wire.event("position-changed", external_id=bought["id"], status="closed")
        frames = [frame for _, frame in wire.frames]
    assert closed["close_time"] == bought["exp"] * 1000
    told = [frame["msg"] for frame in frames if frame["name"] == "timeSync"]
    assert told == sorted(told)
    assert told[-1] - told[0] > 30_000
    server_time = 0
    for frame in frames:
        if frame["name"] == "timeSync":
            server_time = frame["msg"]
        elif frame["name"] == "quote-generated":
            assert abs(frame["msg"]["time"] - server_time) <= 1000
    candles = [frame["msg"] for frame in frames if frame["name"] == "candle-generated"]
    assert {candle["active_id"] for candle in candles} == set(actives)
    for active in actives:
        feed = [candle for candle in candles if candle["active_id"] == active]
        assert all(before["at"] < after["at"] for before, after in pairwise(feed))
        assert {after["id"] - before["id"] for before, after in pairwise(feed)} <= {0, 1}


async def test_a_restart_never_goes_back(start_paper_broker: StartPaperBroker) -> None:
    broker = await start_paper_broker(PREGAO_PAPER_CLOCK_SPEED="60")
    times = []
    for _ in range(2):
        async with connected(broker) as wire:
            await wire.wait(lambda frame: frame["name"] == "timeSync")
            times.append(max(time for _, time in wire.events("timeSync")))
        await broker.restart()
    assert times[1] > times[0]
