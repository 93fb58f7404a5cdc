from collections import Counter
from uuid import UUID

from services.bot_runtime.partitions import PARTITIONS, partition_of
from tests.messages import USER


def test_a_user_is_always_in_the_same_partition() -> None:
    assert partition_of(USER) == 5


def test_users_spread_over_all_partitions() -> None:
    users = Counter(partition_of(str(UUID(int=number))) for number in range(8000))
    assert set(users) == set(range(PARTITIONS))
    assert max(users.values()) < 2 * min(users.values())
