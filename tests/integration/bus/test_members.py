"""Who is there, as the members of a group see it."""

import asyncio

from libs.bus import Bus, Lease, Members
from libs.bus.lease import Holder
from libs.bus.members import Member, ranking
from libs.bus.topology import LEASES
from services.bot_runtime.partitions import PARTITIONS, Partitions
from tests.integration.nats_server import Connect, eventually

KEYS = [f"user-{number}" for number in range(50)]


def nothing() -> None:
    """Nobody wants to know."""


async def announce(bus: Bus, group: str, instance: str) -> None:
    """As one that is there, or dies at once."""
    await bus.bucket(LEASES).put(f"member.{group}.{instance}", Member(instance), ttl=10)


async def test_one_that_died_before_is_no_member_to_one_that_starts(connect: Connect, bus: Bus) -> None:
    await announce(bus, "bots", "dead")
    first, second = [Members(await connect("bots"), "bots", nothing) for _ in range(2)]

    def seen(members: Members, *others: Members) -> bool:
        instances = {each._bus.instance for each in (members, *others)}
        return [members.rank(key) for key in KEYS] == [
            ranking(instances, key).index(members._bus.instance) for key in KEYS
        ]

    await first.start()
    assert not seen(first)
    await eventually(lambda: seen(first))
    await second.start()
    assert seen(second, first)
    await eventually(lambda: seen(first, second))
    await first.stop()
    await second.stop()


class Owner:
    def __init__(self) -> None:
        self.held: set[int] = set()
        self.dropped: list[int] = []

    def take(self, partition: int, lease: Lease) -> None:
        self.held.add(partition)

    def drop(self, partition: int) -> None:
        self.held.remove(partition)
        self.dropped.append(partition)


async def test_what_falls_to_one_that_does_not_take_it_is_taken_once(connect: Connect, bus: Bus) -> None:
    own, owner = await connect("bots"), Owner()
    idle = Members(await connect("bots"), "bots", nothing)
    await idle.start()
    partitions = Partitions(own, owner, lease_seconds=3)
    await partitions.start()
    keeping = asyncio.create_task(partitions.keep())
    await eventually(lambda: len(owner.held) == PARTITIONS)
    leases = await own.mirror(LEASES, "bots.*", Holder)
    before = {key: entry.revision for key, entry in leases.items()}

    def renewed() -> bool:
        return all(entry.revision > before[key] for key, entry in leases.items())

    await eventually(renewed)
    assert owner.dropped == []
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await partitions.release()
    await idle.stop()
