"""Which gateway something falls to."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from libs.bus.members import ranking

KEYS = [f"user-{number}" for number in range(1000)]
groups = st.sets(st.from_regex(r"[a-z]{1,8}-[0-9]{1,5}", fullmatch=True), min_size=1, max_size=6)


@given(groups, st.sampled_from(KEYS))
def test_every_member_has_another_place(members: set[str], key: str) -> None:
    assert set(ranking(members, key)) == members
    assert ranking(members, key) == ranking(sorted(members), key), "and everybody works out the same"


@given(groups, st.sampled_from(KEYS), st.data())
def test_who_leaves_moves_nobody_elses(members: set[str], key: str, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(members)))
    left = [member for member in ranking(members, key) if member != gone]
    assert ranking(members - {gone}, key) == left


def test_each_has_its_fair_part() -> None:
    members = [f"gateway-{number}" for number in range(5)]
    parts = Counter(ranking(members, key)[0] for key in KEYS)
    assert all(150 <= parts[member] <= 250 for member in members)
