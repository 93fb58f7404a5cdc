from services.paper_broker.sessions import Session
from tests.unit.paper_broker.world import OTHER_USER, START, USER, World


def test_a_session_id_leads_to_its_user_until_it_expires(world: World) -> None:
    ssid = world.broker.sessions.create(USER)
    expires = int(START.timestamp() * 1000) + 86_400_000
    assert world.broker.sessions.find(ssid) == Session(USER, expires)
    world.clock.advance(86_399)
    assert world.broker.sessions.find(ssid) is not None
    world.clock.advance(1)
    assert world.broker.sessions.find(ssid) is None


def test_the_lifetime_is_a_setting() -> None:
    world = World(paper_session_seconds=5)
    ssid = world.broker.sessions.create(USER)
    world.clock.advance(5)
    assert world.broker.sessions.find(ssid) is None


def test_a_new_session_leaves_the_one_before_valid(world: World) -> None:
    first, second = world.broker.sessions.create(USER), world.broker.sessions.create(USER)
    assert first != second
    assert world.broker.sessions.find(first) is not None
    assert world.broker.sessions.find(second) is not None


def test_a_made_up_session_id_is_nobodys(world: World) -> None:
    assert world.broker.sessions.find("0" * 32) is None


def test_expiring_a_user_leaves_the_others_alone(world: World) -> None:
    world.broker.accounts.ensure(OTHER_USER)
    mine, theirs = world.broker.sessions.create(USER), world.broker.sessions.create(OTHER_USER)
    world.broker.sessions.expire(USER)
    assert world.broker.sessions.find(mine) is None
    assert world.broker.sessions.find(theirs) is not None


def test_session_ids_are_not_stored(world: World) -> None:
    ssid = world.broker.sessions.create(USER)
    stored = [bytes(row["digest"]) for row in world.storage.rows("SELECT digest FROM sessions")]
    assert ssid.encode() not in stored
    assert bytes.fromhex(ssid) not in stored


def test_expired_ones_are_forgotten(world: World) -> None:
    world.broker.sessions.create(USER)
    world.clock.advance(86_400)
    world.broker.sessions.create(USER)
    assert len(world.storage.rows("SELECT digest FROM sessions")) == 1
