"""Buckets, mirrors and leases."""

import pytest

from libs.bus import Bus, BusUnavailable, Entry, RevisionConflict
from libs.bus.topology import BOTS, ORDERS, Bucket
from libs.contracts.orders import OrderRecord, OrderState
from libs.contracts.score import Score
from tests.integration.nats_server import Connect, NatsServer, eventually
from tests.messages import USER, a_record, a_score


async def test_a_key_is_created_once_ever(bus: Bus) -> None:
    orders = bus.bucket(ORDERS)
    revision = await orders.create("user.order", a_record())
    with pytest.raises(RevisionConflict):
        await orders.create("user.order", a_record())
    entry = await orders.get("user.order", OrderRecord)
    assert entry is not None
    assert (entry.value, entry.revision) == (a_record(), revision)


async def test_only_one_of_two_writers_who_read_the_same_revision_succeeds(bus: Bus) -> None:
    orders = bus.bucket(ORDERS)
    revision = await orders.create("user.order", a_record())
    await orders.update("user.order", a_record(state=OrderState.SENDING), revision)
    with pytest.raises(RevisionConflict):
        await orders.update("user.order", a_record(state=OrderState.REJECTED), revision)


async def test_a_missing_or_deleted_key_reads_as_none_and_can_be_created_again(bus: Bus) -> None:
    orders = bus.bucket(ORDERS)
    assert await orders.get("user.order", OrderRecord) is None
    await orders.create("user.order", a_record())
    await orders.delete("user.order")
    assert await orders.get("user.order", OrderRecord) is None
    await orders.create("user.order", a_record())


async def test_deleting_respects_the_revision(bus: Bus) -> None:
    orders = bus.bucket(ORDERS)
    revision = await orders.create("user.order", a_record())
    await orders.put("user.order", a_record(reason="newer"))
    with pytest.raises(RevisionConflict):
        await orders.delete("user.order", revision)


async def test_a_value_with_a_time_to_live_lapses_also_after_updates(bus: Bus) -> None:
    """nats-py's own `update` forgets the time to live."""
    orders = bus.bucket(ORDERS)
    revision = await orders.create("user.order", a_record(), ttl=1)
    await orders.update("user.order", a_record(reason="renewed"), revision, ttl=1)

    async def gone() -> bool:
        return await orders.get("user.order", OrderRecord) is None

    import asyncio

    async with asyncio.timeout(5):
        while not await gone():
            await asyncio.sleep(0.05)
    await orders.create("user.order", a_record())


async def test_entries_lists_the_matching_keys(bus: Bus) -> None:
    orders = bus.bucket(ORDERS)
    for key in ("a.1", "a.2", "b.1"):
        await orders.create(key, a_record(reason=key))
    entries = await orders.entries("a.*", OrderRecord)
    assert sorted((entry.key, entry.value.reason) for entry in entries) == [("a.1", "a.1"), ("a.2", "a.2")]
    assert await orders.entries("c.*", OrderRecord) == []


async def test_an_unconfirmed_write_is_an_error_not_a_guess(bus: Bus, nats_server: NatsServer) -> None:
    orders = bus.bucket(ORDERS)
    nats_server.freeze()
    with pytest.raises(BusUnavailable):
        await orders.create("user.order", a_record())


async def test_a_stored_value_is_also_an_event(bus: Bus) -> None:
    received: list[tuple[str, Score]] = []

    async def receive(subject: str, pnl: Score) -> None:
        received.append((subject, pnl))

    await bus.subscribe("bot.*.pnl", Score, receive)
    await bus.bucket(BOTS).put(f"{USER}.pnl", a_score(sequence=3))
    await eventually(lambda: received)
    assert received == [(f"bot.{USER}.pnl", a_score(sequence=3))]


async def test_a_mirror_starts_current_and_follows(bus: Bus) -> None:
    bots = bus.bucket(BOTS)
    await bots.put("u1.pnl", a_score(sequence=1))
    changes: list[tuple[str, int | None]] = []

    def changed(key: str, entry: Entry[Score] | None) -> None:
        changes.append((key, entry.value.sequence if entry else None))

    mirror = await bus.mirror(BOTS, "*.pnl", Score, changed)
    assert mirror.get("u1.pnl") == a_score(sequence=1)
    await bots.put("u1.pnl", a_score(sequence=2))
    await bots.delete("u1.pnl")
    await bots.put("u2.pnl", a_score(sequence=7))
    await eventually(lambda: mirror.get("u2.pnl"))
    assert mirror.get("u1.pnl") is None
    assert changes == [("u1.pnl", 1), ("u1.pnl", 2), ("u1.pnl", None), ("u2.pnl", 7)]


async def test_a_mirror_of_nothing_starts_at_once(bus: Bus) -> None:
    mirror = await bus.mirror(BOTS, "*.pnl", Score)
    assert list(mirror.items()) == []


async def test_a_mirror_survives_a_killed_server_and_sees_what_it_missed(
    bus: Bus, connect: Connect, nats_server: NatsServer
) -> None:
    await bus.ensure(Bucket("brief", max_bytes=1024 * 1024))
    brief = bus.bucket(Bucket("brief", max_bytes=1024 * 1024))
    await brief.put("stays", a_score(sequence=1))
    await brief.put("goes", a_score(sequence=1))
    mirror = await bus.mirror(Bucket("brief", max_bytes=1024 * 1024), "*", Score)
    nats_server.kill()
    nats_server.start()
    other = (await connect()).bucket(Bucket("brief", max_bytes=1024 * 1024))
    await other.delete("goes")
    await other.put("comes", a_score(sequence=9))
    await eventually(lambda: mirror.get("comes") and not mirror.get("goes"), timeout=20)
    assert mirror.get("stays") == a_score(sequence=1)


async def test_a_lease_has_one_holder_and_tokens_grow(connect: Connect, bus: Bus) -> None:
    first, second = (await connect()).lease("market", ttl=2), (await connect()).lease("market", ttl=2)
    assert await first.acquire()
    assert not await second.acquire()
    assert first.held
    await first.release()
    assert await second.acquire()
    assert [first.held, second.held] == [False, True]
    assert second.token > first.token
    await second.release()


async def test_a_lease_is_renewed_as_long_as_its_holder_lives(connect: Connect, bus: Bus) -> None:
    first, second = (await connect()).lease("market", ttl=1), (await connect()).lease("market", ttl=1)
    assert await first.acquire()
    lost: list[bool] = []
    first.on_lost = lambda: lost.append(True)
    with pytest.raises(TimeoutError):
        await eventually(lambda: lost, timeout=2.5)
    assert first.held
    assert not await second.acquire()
    await first.release()
    assert lost == []


async def test_a_holder_cut_off_stops_acting_before_another_can_hold(
    bus: Bus, connect: Connect, nats_server: NatsServer
) -> None:
    lease = (await connect()).lease("market", ttl=2)
    assert await lease.acquire()
    lost: list[bool] = []
    lease.on_lost = lambda: lost.append(lease.held)
    nats_server.kill()
    await eventually(lambda: lost)
    assert lost == [False]
    nats_server.start()
    other = (await connect()).lease("market", ttl=2)
    import asyncio

    async with asyncio.timeout(10):
        while not await other.acquire():
            await asyncio.sleep(0.1)
    assert not lease.held
    await other.release()


async def test_a_mirror_of_what_is_unfinished_forgets_what_is_finished(bus: Bus) -> None:
    orders = bus.bucket(ORDERS)
    await orders.put("u.old", a_record(state=OrderState.CLOSED))
    revision = await orders.put("u.new", a_record())
    gone: list[str] = []

    def changed(key: str, entry: Entry[OrderRecord] | None) -> None:
        if entry is None:
            gone.append(key)

    mirror = await bus.mirror(ORDERS, ">", OrderRecord, changed, keep=lambda record: not record.state.final)
    assert [key for key, _ in mirror.items()] == ["u.new"]
    await orders.update("u.new", a_record(state=OrderState.REJECTED), revision)
    await eventually(lambda: gone)
    assert gone == ["u.new"]
    assert list(mirror.items()) == []
