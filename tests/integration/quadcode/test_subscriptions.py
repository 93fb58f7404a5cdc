import asyncio

import pytest

from libs.quadcode import Client, ConnectionState, RequestRefused, RequestTimeout
from libs.quadcode.candles import CandleGenerated
from libs.quadcode.position_book import PositionBook
from libs.quadcode.positions import Position
from libs.quadcode.quotes import Quote
from tests.integration.quadcode.conftest import MakeClient
from tests.integration.quadcode.scripted_broker import Frame, ScriptedBroker, event, refusal, reply, result
from tests.integration.quadcode.test_position_book import page, record


def candle(active_id: int = 76, size: int = 60, **changes: object) -> Frame:
    msg = {
        "active_id": active_id, "size": size, "id": 1, "from": 60, "to": 120, "at": 61_000_000_000,
        "open": 1.0, "close": 1.1, "min": 0.9, "max": 1.2, "ask": 1.1, "bid": 1.0, "volume": 0, "phase": "T",
    }  # fmt: skip
    return event("quotes", "candle-generated", msg | changes)


def left_behind(broker: ScriptedBroker) -> set[str]:
    """Names of what the broker still sends, by what it was told since the last login."""
    subscribed: set[str] = set()
    for frame in broker.received:
        if frame["name"] == "authenticate":
            subscribed.clear()
        elif frame["name"] == "subscribeMessage":
            subscribed.add(frame["msg"]["name"])
        elif frame["name"] == "unsubscribeMessage":
            subscribed.discard(frame["msg"]["name"])
    return subscribed


class Heard(list[CandleGenerated]):
    def closes(self) -> list[float]:
        return [candle.close for candle in self]


async def test_one_subscription_serves_every_listener(client: Client, broker: ScriptedBroker) -> None:
    first, second = Heard(), Heard()
    await client.candles.watch(76, 60, first.append)
    await client.candles.watch(76, 60, second.append)
    await broker.push(candle(close=1.5))
    await broker.until(lambda: second)
    assert broker.subscriptions() == [("candle-generated", {"active_id": 76, "size": 60})]
    assert first.closes() == second.closes() == [1.5]


async def test_the_last_listener_to_go_unsubscribes(client: Client, broker: ScriptedBroker) -> None:
    heard = Heard()
    one = await client.candles.watch(76, 60, heard.append)
    two = await client.candles.watch(76, 60, heard.append)
    await one.stop()
    await one.stop()
    assert broker.subscriptions("unsubscribeMessage") == []
    await two.stop()
    assert broker.subscriptions("unsubscribeMessage") == [("candle-generated", {"active_id": 76, "size": 60})]


async def test_an_event_goes_to_whom_it_concerns(client: Client, broker: ScriptedBroker) -> None:
    minute, five, other = Heard(), Heard(), Heard()
    quotes: list[Quote] = []
    await client.candles.watch(76, 60, minute.append)
    await client.candles.watch(76, 300, five.append)
    await client.candles.watch(1, 60, other.append)
    await client.quotes.watch(76, quotes.append)
    quote = {"active_id": 76, "time": 1_790_000_000_123, "bid": 1.0, "ask": 1.2, "value": 1.1, "phase": "T"}
    await broker.push(
        candle(size=300, close=3.0), candle(close=1.5), candle(active_id=99), event("quotes", "quote-generated", quote)
    )
    await broker.until(lambda: quotes)
    assert (minute.closes(), five.closes(), other) == ([1.5], [3.0], [])
    assert quotes[0].value == 1.1


async def test_the_name_alone_does_not_make_an_event(client: Client, broker: ScriptedBroker) -> None:
    heard = Heard()
    await client.candles.watch(76, 60, heard.append)
    impostors = [
        candle(close=2.0) | {"microserviceName": "chat"},
        candle(close=3.0) | {"request_id": "77"},
        candle(close=4.0) | {"name": "candle"},
    ]
    await broker.push(*impostors, candle(close=1.5))
    await broker.until(lambda: heard)
    assert heard.closes() == [1.5]


async def test_a_malformed_event_costs_only_itself(client: Client, broker: ScriptedBroker) -> None:
    heard = Heard()
    await client.candles.watch(76, 60, heard.append)
    await broker.push(candle(open="high"), event("quotes", "candle-generated", None), candle(close=1.5))
    await broker.until(lambda: heard)
    assert heard.closes() == [1.5]
    assert client.malformed == 2


async def test_a_listener_that_raises_harms_nobody_else(client: Client, broker: ScriptedBroker) -> None:
    heard = Heard()

    def fail(_: CandleGenerated) -> None:
        raise ValueError("a listener's own fault")

    await client.candles.watch(76, 60, fail)
    await client.candles.watch(76, 60, heard.append)
    await broker.push(candle(close=1.5), candle(close=1.6))
    await broker.until(lambda: len(heard) == 2)


async def test_everything_is_subscribed_again_before_the_connection_is_announced(
    make_client: MakeClient, broker: ScriptedBroker
) -> None:
    states: list[tuple[ConnectionState, int]] = []
    client = make_client(on_state=lambda state: states.append((state, len(broker.subscriptions()))))
    client.start()
    await client.wait_connected(5)
    heard = Heard()
    for active_id in (1, 2, 3):
        await client.candles.watch(active_id, 60, heard.append)
    await client.balances.watch(lambda _: None)
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    assert states == [
        (ConnectionState.CONNECTED, 0),
        (ConnectionState.DISCONNECTED, 4),
        (ConnectionState.CONNECTED, 8),
    ]
    assert broker.subscriptions()[4:] == broker.subscriptions()[:4]
    await broker.push(candle(active_id=2, close=1.5))
    await broker.until(lambda: heard)


async def test_what_is_wanted_while_disconnected_is_subscribed_on_connecting(
    make_client: MakeClient, broker: ScriptedBroker
) -> None:
    client = make_client()
    await client.candles.watch(76, 60, Heard().append)
    gone = await client.candles.watch(1, 60, Heard().append)
    await gone.stop()
    client.start()
    await client.wait_connected(5)
    assert broker.subscriptions() == [("candle-generated", {"active_id": 76, "size": 60})]


async def test_a_refused_subscription_is_told_and_forgotten(client: Client, broker: ScriptedBroker) -> None:
    broker.answers["candle-generated"] = lambda _: [refusal(4100, "no such feed")]
    with pytest.raises(RequestRefused, match="no such feed"):
        await client.candles.watch(76, 60, Heard().append)
    del broker.answers["candle-generated"]
    await client.candles.watch(76, 60, Heard().append)
    assert len(broker.subscriptions()) == 2


async def test_all_who_joined_a_refused_subscription_are_told(client: Client, broker: ScriptedBroker) -> None:
    broker.answers["candle-generated"] = lambda _: [refusal(4100, "no such feed")]
    watches = [client.candles.watch(76, 60, Heard().append) for _ in range(3)]
    outcomes = await asyncio.gather(*watches, return_exceptions=True)
    assert all(isinstance(outcome, RequestRefused) for outcome in outcomes)


async def test_a_subscription_that_is_not_confirmed_is_given_back(
    make_client: MakeClient, broker: ScriptedBroker
) -> None:
    async with make_client(timeout=0.3) as client:
        broker.answers["candle-generated"] = lambda _: []
        with pytest.raises(RequestTimeout):
            await client.candles.watch(76, 60, Heard().append)
        assert broker.subscriptions("unsubscribeMessage") == broker.subscriptions()


async def test_a_listener_that_changes_its_mind_leaves_nothing_behind(client: Client, broker: ScriptedBroker) -> None:
    watch = asyncio.create_task(client.candles.watch(76, 60, Heard().append))
    await asyncio.sleep(0)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    assert left_behind(broker) == set()


async def test_a_listener_that_stops_while_the_client_reconnects_leaves_nothing_behind(
    client: Client, broker: ScriptedBroker
) -> None:
    stopping: list[asyncio.Task[None]] = []
    change = {"current_balance": {"id": 1, "type": 4, "amount": 1, "currency": "USD"}}
    listening = await client.balances.watch(lambda _: stopping.append(asyncio.create_task(listening.stop())))
    # The event comes with the last answer of the login: the listener stops in the moment of its renewal.
    broker.answers["features.get-features"] = lambda _: [
        reply({"features": []}),
        event("balances", "balance-changed", change),
    ]
    await broker.drop()
    await broker.until(lambda: stopping and client.connections == 2)
    await stopping[0]
    assert left_behind(broker) == set()


async def test_a_renewal_that_is_refused_does_not_stop_the_others(client: Client, broker: ScriptedBroker) -> None:
    heard = Heard()
    await client.candles.watch(1, 60, heard.append)
    await client.candles.watch(2, 60, heard.append)

    def only_two(msg: dict[str, dict[str, dict[str, int]]]) -> list[Frame | bytes]:
        accepted = msg["params"]["routingFilters"]["active_id"] == 2
        return [result() if accepted else refusal(4100, "gone")]

    broker.answers["candle-generated"] = only_two
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    await broker.push(candle(active_id=2, close=1.5))
    await broker.until(lambda: heard)


class AfterThese:
    """Gives these answers, then confirms."""

    def __init__(self, *answers: list[Frame | bytes]) -> None:
        self._answers = list(answers)

    def __call__(self, _: object) -> list[Frame | bytes]:
        return self._answers.pop(0) if self._answers else [result()]


@pytest.mark.parametrize("answer", [[refusal(5000, "away")], []], ids=["refused", "unanswered"])
async def test_a_renewal_that_fails_is_made_later_on_the_same_connection(
    make_client: MakeClient, broker: ScriptedBroker, answer: list[Frame | bytes]
) -> None:
    heard = Heard()
    async with make_client(timeout=0.3) as client:
        caught_up: list[int] = []
        client.when_connected(lambda: caught_up.append(client.renewals_failed))
        await client.candles.watch(76, 60, heard.append)
        broker.answers["candle-generated"] = AfterThese(answer, answer)
        await broker.drop()
        await broker.until(lambda: len(caught_up) == 2)
        assert (caught_up, client.connections) == ([1, 2], 2)
        assert len(broker.subscriptions()) == 4
        await broker.push(candle(close=1.5))
        await broker.until(lambda: heard)


async def test_a_renewal_nobody_listens_to_any_more_is_not_made(client: Client, broker: ScriptedBroker) -> None:
    heard = Heard()
    gone = await client.candles.watch(1, 60, heard.append)
    await client.candles.watch(2, 60, heard.append)
    broker.answers["candle-generated"] = AfterThese([refusal(5000, "away")], [refusal(5000, "away")])
    await broker.drop()
    await broker.until(lambda: client.renewals_failed == 2)
    await gone.stop()
    await broker.until(lambda: len(broker.subscriptions()) == 5)
    assert [filters["active_id"] for _, filters in broker.subscriptions()] == [1, 2, 1, 2, 2]


async def test_a_renewal_is_left_to_the_next_connection_when_this_one_goes(
    client: Client, broker: ScriptedBroker
) -> None:
    heard = Heard()
    await client.candles.watch(76, 60, heard.append)
    broker.answers["candle-generated"] = AfterThese([refusal(5000, "away")])
    await broker.drop()
    await broker.until(lambda: client.renewals_failed == 1)
    await broker.drop()
    await broker.until(lambda: client.connections == 3)
    assert len(broker.subscriptions()) == 3
    await broker.push(candle(close=1.5))
    await broker.until(lambda: heard)


async def test_a_position_that_closed_while_changes_were_not_renewed_is_told(
    client: Client, broker: ScriptedBroker
) -> None:
    """The list after the reconnect was made before it closed; nothing was pushed since."""
    heard: list[Position] = []
    broker.answers["portfolio.get-positions"] = lambda _: page(record(1))
    broker.answers["portfolio.get-history-positions"] = lambda _: page()
    async with PositionBook(client, heard.append):
        broker.answers["portfolio.position-changed"] = AfterThese([refusal(5000, "away")])
        await broker.drop()
        await broker.until(lambda: len(broker.asked("portfolio.get-positions")) == 2)
        broker.answers["portfolio.get-positions"] = lambda _: page()
        broker.answers["portfolio.get-history-positions"] = lambda _: page(record(1, "closed", version=2))
        await broker.until(lambda: heard)
    assert [position.closed for position in heard] == [True]


async def test_a_standing_request_that_fails_is_made_later_on_the_same_connection(
    client: Client, broker: ScriptedBroker
) -> None:
    name = "marginal-portfolio.subscribe-balance-changed"
    await client.margin_balances.watch(900004, lambda _: None)
    broker.answers[name] = AfterThese([result(success=False, reason="later")])
    await broker.drop()
    await broker.until(lambda: len(broker.asked(name)) == 3)
    assert (client.renewals_failed, client.connections) == (1, 2)


async def test_a_slow_reader_of_candles_gets_the_newest_of_each(client: Client, broker: ScriptedBroker) -> None:
    async with client.candles.stream(76, 60) as updates:
        await broker.push(*(candle(id=1, close=number / 10) for number in range(5)), candle(id=2, close=9.0))
        broker.answers["balances.get-available-balances"] = lambda _: [reply([])]
        await client.balances.all()
        assert [(await anext(updates)).close for _ in range(2)] == [0.4, 9.0]
    assert len(broker.subscriptions("unsubscribeMessage")) == 1
