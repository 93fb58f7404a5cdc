"""What is pushed, and when (quadcode-protocol §3.6, §10, §11.3, §12.4, §14.5, §14.6)."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from services.paper_broker.announcer import EVENT_GAP
from services.paper_broker.ticker import STEP, Ticker
from tests.unit.paper_broker.world import APPLE, EURUSD, START, USER, Client, Frame, World

NOW_MS = int(START.timestamp() * 1000)
NOW = NOW_MS // 1000


def advance(world: World, seconds: float) -> None:
    """As the timer would: every step on time."""
    ticker, until = Ticker(world.broker), world.broker.now() + round(seconds * 1000)
    time = world.broker.now() // STEP * STEP + STEP
    while time <= until:
        world.clock.set(datetime.fromtimestamp(time / 1000, UTC))
        ticker.tick(time)
        time += STEP
    world.clock.set(datetime.fromtimestamp(until / 1000, UTC))


def messages(client: Client, name: str) -> list[Frame]:
    return [frame["msg"] for frame in client.received(name)]


def step_by_step(world: World, client: Client, name: str, seconds: float) -> list[Frame]:
    """With a client that reads everything in time."""
    seen = []
    for _ in range(round(seconds * 2)):
        advance(world, 0.5)
        seen += messages(client, name)
    return seen


async def buy(world: World, client: Client, duration: int = 5) -> Frame:
    body = {
        "active_id": EURUSD,
        "direction": "call",
        "expiration_size": duration,
        "option_type_id": 12,
        "price": 10,
        "user_balance_id": world.balance().id,
    }
    return client.call("binary-options.open-option", "2.0", body)


def test_the_time_is_told_every_second_without_a_microservice_name(world: World, client: Client) -> None:
    frames = []
    for _ in range(6):
        advance(world, 0.5)
        frames += client.received("timeSync")
    assert [frame["msg"] for frame in frames] == [(NOW + second) * 1000 for second in (1, 2, 3)]
    assert all(set(frame) == {"name", "msg"} for frame in frames)


def test_the_time_is_not_told_to_strangers(world: World) -> None:
    stranger = world.stranger()
    advance(world, 2)
    assert stranger.received() == []


def test_a_stranger_who_does_not_log_in_is_dropped(world: World) -> None:
    stranger, client = world.stranger(), world.client()
    advance(world, 30)
    assert [stranger.aborted, client.aborted] == [False, False]
    advance(world, 1)
    assert [stranger.aborted, client.aborted] == [True, False]


def test_the_end_of_a_session_ends_its_connections() -> None:
    world = World(paper_session_seconds=5)
    client = world.client()
    aborted = []
    for _ in range(6):
        advance(world, 1)
        aborted.append(client.aborted)
    assert aborted == [False, False, False, False, False, True]


def test_quotes_come_at_least_every_second_with_the_fields_of_the_specification(world: World, client: Client) -> None:
    client.subscribe("quote-generated", "2.0", active_id=EURUSD)
    quotes = step_by_step(world, client, "quote-generated", 3)
    assert [quote["time"] for quote in quotes] == [NOW * 1000 + step * 500 for step in range(1, 7)]
    assert all(set(quote) == {"active_id", "time", "ask", "bid", "value", "phase"} for quote in quotes)
    assert all(quote["bid"] < quote["value"] < quote["ask"] for quote in quotes)


def test_the_phase_follows_the_trading_hours(world: World, client: Client) -> None:
    client.subscribe("quote-generated", "2.0", active_id=1938)
    assert {quote["phase"] for quote in step_by_step(world, client, "quote-generated", 1)} == {"C"}
    world.clock.advance(3 * 3600)
    assert {quote["phase"] for quote in step_by_step(world, client, "quote-generated", 1)} == {"T"}


@pytest.mark.parametrize("size", [1, 5, 30])
def test_live_candles_follow_each_other_and_each_one_ends_with_its_last_update(
    world: World, client: Client, size: int
) -> None:
    client.subscribe("candle-generated", "1.0", active_id=EURUSD, size=size)
    updates = step_by_step(world, client, "candle-generated", 3 * size)
    assert all(after["at"] > before["at"] for before, after in pairwise(updates))
    for before, after in pairwise(updates):
        assert after["id"] - before["id"] in (0, 1)
        assert (after["from"] == before["from"]) is (after["id"] == before["id"])
        if after["id"] != before["id"]:
            assert before["at"] == before["to"] * 10**9
    assert len({update["id"] for update in updates}) in (3, 4)


@pytest.mark.parametrize("size", [1, 5, 60])
def test_a_live_candle_ends_as_history_has_it(world: World, client: Client, size: int) -> None:
    client.subscribe("candle-generated", "1.0", active_id=EURUSD, size=size)
    updates = step_by_step(world, client, "candle-generated", 2 * size)
    final = [update for update in updates if update["at"] == update["to"] * 10**9]
    assert final
    query = {"active_id": EURUSD, "size": size, "from_id": final[0]["id"], "to_id": final[-1]["id"]}
    history = client.call("quotes-history.get-candles", "2.0", query)["msg"]["candles"]
    fields = ("id", "from", "to", "open", "close", "min", "max", "volume")
    assert [{field: update[field] for field in fields} for update in final] == history


def test_a_closed_market_has_quotes_but_no_candles(world: World, client: Client) -> None:
    client.subscribe("candle-generated", "1.0", active_id=APPLE, size=60)
    client.subscribe("quote-generated", "2.0", active_id=APPLE)
    advance(world, 2)
    assert client.received("candle-generated") == []
    world.clock.advance(3 * 3600)
    assert step_by_step(world, client, "candle-generated", 2) != []


def test_a_live_candle_has_the_fields_of_the_specification(world: World, client: Client) -> None:
    client.subscribe("candle-generated", "1.0", active_id=EURUSD, size=60)
    (update, _) = step_by_step(world, client, "candle-generated", 1)
    assert set(update) == {
        "active_id", "size", "id", "from", "to", "at", "open", "close", "min", "max", "ask", "bid", "volume", "phase",
    }  # fmt: skip
    assert (update["active_id"], update["size"], update["at"]) == (EURUSD, 60, (NOW * 1000 + 500) * 10**6)
    assert update["bid"] < update["close"] < update["ask"]


def test_an_unsubscribed_feed_is_silent(world: World, client: Client) -> None:
    client.subscribe("candle-generated", "1.0", active_id=EURUSD, size=60)
    client.unsubscribe("candle-generated", "1.0", active_id=EURUSD, size=60)
    assert step_by_step(world, client, "candle-generated", 2) == []


async def test_a_purchase_is_announced_after_its_reply(world: World, client: Client) -> None:
    client.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    client.subscribe("balances.balance-changed", "1.0")
    option = await buy(world, client)
    assert client.received() == []
    await asyncio.sleep(EVENT_GAP * 2)
    position, balance = client.received()
    assert (position["name"], position["microserviceName"]) == ("position-changed", "portfolio")
    assert (position["msg"]["external_id"], position["msg"]["status"]) == (option["msg"]["id"], "open")
    assert (balance["name"], balance["microserviceName"]) == ("balance-changed", "balances")
    assert balance["msg"] == {
        "user_id": USER,
        "current_balance": {
            "id": world.balance().id, "type": 4, "amount": 9990, "bonus_amount": 0, "currency": "USD",
        },
    }  # fmt: skip


async def test_a_settlement_is_announced_in_its_second_with_a_higher_version(world: World, client: Client) -> None:
    client.subscribe("portfolio.position-changed", "3.0", user_id=USER)
    client.subscribe("balances.balance-changed", "1.0")
    option = await buy(world, client)
    advance(world, 4.5)
    assert client.received("position-changed") == []
    advance(world, 0.5)
    *opened, position, balance = (frame["msg"] for frame in client.received() if frame["name"] != "timeSync")
    assert (opened[0]["external_id"], opened[0]["version"]) == (option["msg"]["id"], 1)
    assert (position["external_id"], position["status"], position["version"]) == (option["msg"]["id"], "closed", 2)
    assert balance["current_balance"]["amount"] == float(world.balance().amount)


async def test_events_of_a_user_reach_all_their_connections_and_nobody_else(world: World, client: Client) -> None:
    second, other = world.client(USER), world.client(USER + 1)
    for each in (client, second, other):
        each.subscribe("portfolio.position-changed", "3.0")
    await buy(world, client)
    advance(world, 5)
    counts = [len(each.received("position-changed")) for each in (client, second, other)]
    assert counts == [2, 2, 0]


async def test_watched_positions_are_valued_every_second_across_reconnects(world: World, client: Client) -> None:
    await buy(world, client, duration=10)
    (position,) = world.broker.positions.open(USER)
    client.call("portfolio.subscribe-positions", "1.0", {"frequency": "frequent", "ids": [position.id]})
    again = world.client(USER)
    again.subscribe("portfolio.positions-state", "1.0")
    states = step_by_step(world, again, "positions-state", 5)
    assert len(states) == 5
    assert all(state["user_id"] == USER and state["expires_in"] > 60 for state in states)
    (valued,) = states[0]["positions"]
    assert (valued["id"], valued["instrument_type"], valued["expected_profit"]) == (position.id, "blitz-option", 18.6)
    assert valued["pnl"] in (8.6, 0, -10)
    assert valued["open_price"] == position.open_quote
    assert client.received("positions-state") == []


async def test_what_is_not_watched_or_closed_is_not_valued(world: World, client: Client) -> None:
    client.subscribe("portfolio.positions-state", "1.0")
    await buy(world, client)
    assert step_by_step(world, client, "positions-state", 2) == []
    (position,) = world.broker.positions.open(USER)
    client.call("portfolio.subscribe-positions", "1.0", {"ids": [position.id, "unknown"]})
    assert len(step_by_step(world, client, "positions-state", 5)) == 2


async def test_a_watch_lapses_unless_renewed(world: World, client: Client) -> None:
    client.subscribe("portfolio.positions-state", "1.0")
    await buy(world, client, duration=300)
    (position,) = world.broker.positions.open(USER)
    client.call("portfolio.subscribe-positions", "1.0", {"ids": [position.id]})
    world.clock.advance(250)
    assert len(step_by_step(world, client, "positions-state", 1)) == 1
    client.call("portfolio.subscribe-positions", "1.0", {"ids": [position.id]})
    world.clock.advance(40)
    assert len(step_by_step(world, client, "positions-state", 1)) == 1


async def test_the_timer_keeps_time_with_the_clock(world: World, client: Client) -> None:
    client.subscribe("quote-generated", "2.0", active_id=EURUSD)
    timer = asyncio.create_task(Ticker(world.broker).run())
    await asyncio.sleep(0)
    world.clock.advance(1)
    quotes: list[Frame] = []
    async with asyncio.timeout(5):
        while not any(quote["time"] == NOW * 1000 + 1100 for quote in quotes):
            await asyncio.sleep(0.01)
            quotes += messages(client, "quote-generated")
    timer.cancel()


async def test_a_clock_that_is_set_back_does_not_stop_the_timer(world: World, client: Client) -> None:
    client.subscribe("quote-generated", "2.0", active_id=EURUSD)
    timer = asyncio.create_task(Ticker(world.broker).run())
    await asyncio.sleep(0)
    world.clock.advance(-3600)
    async with asyncio.timeout(5):
        while not (quotes := messages(client, "quote-generated")):
            await asyncio.sleep(0.05)
            world.clock.advance(0.5)
    timer.cancel()
    assert NOW - 3600 < quotes[0]["time"] / 1000 < NOW - 3000


async def test_after_a_long_stall_the_timer_goes_on_from_now(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ticker = Ticker(world.broker)
    ticked: list[tuple[int, int, bool]] = []
    ended: list[int] = []
    monkeypatch.setattr(ticker, "tick", lambda time, now, *, second: ticked.append((time, now, second)))
    monkeypatch.setattr(ticker, "catch_up", ended.append)
    timer = asyncio.create_task(ticker.run())
    await asyncio.sleep(0)
    world.clock.advance(3600)
    async with asyncio.timeout(5):
        while not ticked:
            await asyncio.sleep(0.01)
    timer.cancel()
    assert ended == [(NOW + 3600) * 1000 - step * 500 for step in (3, 2, 1)]
    assert ticked == [((NOW + 3600) * 1000, (NOW + 3600) * 1000 + 100, True)]


def test_a_second_that_ended_during_a_stall_is_told_before_the_quotes_after_it(world: World, client: Client) -> None:
    client.subscribe("quote-generated", "2.0", active_id=EURUSD)
    Ticker(world.broker).tick(NOW * 1000 + 2500, NOW * 1000 + 2530, second=True)
    told, quote = client.received()
    assert (told["name"], told["msg"]) == ("timeSync", NOW * 1000 + 2530)
    assert quote["msg"]["time"] == NOW * 1000 + 2530


def test_candles_that_ended_during_a_stall_are_not_left_open(world: World, client: Client) -> None:
    for size in (1, 5):
        client.subscribe("candle-generated", "1.0", active_id=EURUSD, size=size)
    client.subscribe("quote-generated", "2.0", active_id=EURUSD)
    ticker = Ticker(world.broker)
    seen = []
    for step in range(1, 11):
        ticker.catch_up(NOW * 1000 + step * 500)
        seen += client.received()
    assert {frame["name"] for frame in seen} == {"candle-generated"}
    ends = [(frame["msg"]["size"], frame["msg"]["at"] // 10**9 - NOW) for frame in seen]
    assert sorted(ends) == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (5, 5)]
    assert all(frame["msg"]["at"] == frame["msg"]["to"] * 10**9 for frame in seen)


async def test_a_fast_platform_tells_every_second_of_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(paper_clock_speed=60)
    client = world.client()
    client.subscribe("quote-generated", "2.0", active_id=EURUSD)
    slept: list[float] = []
    seen: list[Frame] = []

    async def sleep(seconds: float) -> None:
        if seconds:
            slept.append(seconds)
            world.clock.advance(seconds)
        seen.extend(client.received())
        if len(slept) > 40:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await Ticker(world.broker).run()
    assert max(slept) <= STEP / 1000 / 60
    told = [frame["msg"] // 1000 for frame in seen if frame["name"] == "timeSync"]
    quotes = [frame["msg"]["time"] for frame in seen if frame["name"] == "quote-generated"]
    assert told == list(range(told[0], told[0] + len(told)))
    assert len(told) >= 15
    assert all(0 < after - before < 1000 for before, after in pairwise(quotes))
