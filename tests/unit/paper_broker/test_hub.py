import pytest

from services.paper_broker.hub import Hub, Topic
from services.paper_broker.outbox import MAX_WAITING
from tests.unit.paper_broker.world import OTHER_USER, USER, Client, World

CANDLE = Topic("candle-generated", (76, 60))
OTHER_CANDLE = Topic("candle-generated", (76, 5))
QUOTE = Topic("quote-generated", (76,))


@pytest.fixture
def hub(world: World) -> Hub:
    return world.broker.hub


def waiting(client: Client) -> list[bytes]:
    return list(client.outbox.take())


def test_an_event_goes_to_those_who_listen_to_exactly_it(world: World, hub: Hub) -> None:
    listener, other, nobody = world.stranger(), world.stranger(), world.stranger()
    hub.subscribe(listener.connection, CANDLE)
    hub.subscribe(other.connection, OTHER_CANDLE)
    hub.publish(CANDLE, b"candle")
    assert [waiting(each) for each in (listener, other, nobody)] == [[b"candle"], [], []]


def test_subscribing_twice_brings_one_copy(world: World, hub: Hub) -> None:
    listener = world.stranger()
    hub.subscribe(listener.connection, CANDLE)
    hub.subscribe(listener.connection, CANDLE)
    hub.publish(CANDLE, b"candle")
    assert waiting(listener) == [b"candle"]


def test_of_the_latest_only_the_last_one_waits(world: World, hub: Hub) -> None:
    listener = world.stranger()
    hub.subscribe(listener.connection, CANDLE)
    hub.publish_latest(CANDLE, b"older")
    hub.publish_latest(CANDLE, b"newer")
    assert waiting(listener) == [b"newer"]


def test_who_unsubscribes_hears_no_more(world: World, hub: Hub) -> None:
    listener = world.stranger()
    hub.subscribe(listener.connection, CANDLE)
    hub.unsubscribe(listener.connection, CANDLE)
    hub.unsubscribe(listener.connection, CANDLE)
    hub.publish(CANDLE, b"candle")
    assert waiting(listener) == []


def test_topics_are_those_somebody_listens_to(world: World, hub: Hub) -> None:
    one, two = world.stranger(), world.stranger()
    for connection in (one.connection, two.connection):
        hub.subscribe(connection, CANDLE)
    hub.subscribe(one.connection, OTHER_CANDLE)
    hub.subscribe(one.connection, QUOTE)
    assert set(hub.topics("candle-generated")) == {CANDLE, OTHER_CANDLE}
    hub.leave(one.connection)
    assert hub.topics("candle-generated") == [CANDLE]
    assert hub.topics("quote-generated") == []


def test_who_leaves_is_forgotten(world: World, hub: Hub) -> None:
    client = world.stranger()
    hub.subscribe(client.connection, CANDLE)
    hub.leave(client.connection)
    hub.publish(CANDLE, b"candle")
    assert waiting(client) == []
    assert client.connection not in list(hub)


def test_who_does_not_read_events_is_dropped(world: World, hub: Hub) -> None:
    listener = world.stranger()
    hub.subscribe(listener.connection, CANDLE)
    for _ in range(MAX_WAITING):
        hub.publish(CANDLE, b"event")
    assert not listener.aborted
    hub.publish(CANDLE, b"event")
    assert listener.aborted


def test_dropping_a_user_ends_all_their_connections_and_no_others(world: World, hub: Hub) -> None:
    mine, also_mine, theirs, stranger = (
        world.client(USER), world.client(USER), world.client(OTHER_USER), world.stranger(),
    )  # fmt: skip
    assert hub.drop(USER) == 2
    assert [each.aborted for each in (mine, also_mine, theirs, stranger)] == [True, True, False, False]


def test_a_dropped_connection_gets_nothing_more(world: World, hub: Hub) -> None:
    client = world.client()
    client.received()
    hub.drop(USER)
    client.connection.send(b"reply")
    assert waiting(client) == []
