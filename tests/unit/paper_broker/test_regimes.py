from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker import noise
from services.paper_broker.regimes import REGIMES, activity, spell

WORDS = noise.words(noise.key("spells"), 0, 20_000)[:, 0].tolist()


def test_all_moods_are_as_frequent_last_1_to_8_days_and_lean_nowhere() -> None:
    spells = [spell(word) for word in WORDS]
    moods, days = Counter(each.regime for each in spells), Counter(each.days for each in spells)
    assert set(moods) == set(REGIMES)
    assert set(days) == set(range(1, 9))
    assert max(moods.values()) < 1.1 * min(moods.values())
    assert max(days.values()) < 1.2 * min(days.values())
    assert abs(sum(each.direction for each in spells)) < 500


@given(st.integers(0, 10**6), st.integers(1, 20), st.sampled_from([12, 13, 17, 44, 48]))
def test_the_motion_of_a_session_is_shared_out_without_rest_and_alike_for_all_who_ask(
    first: int, count: int, parts: int
) -> None:
    shares = activity(noise.words(7, first, count, parts))
    assert shares.shape == (count, parts)
    assert shares.min() > 0
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.array_equal(activity(noise.words(7, first + count - 1, 1, parts))[0], shares[-1])


def test_busy_and_quiet_hours_last() -> None:
    shares = activity(noise.words(7, 0, 1000, 48))
    same = (shares[:, 1:] == shares[:, :-1]).mean()
    assert 0.8 < same < 0.95
