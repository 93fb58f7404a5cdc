import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.paper_broker import noise


@given(st.integers(-(10**9), 10**9), st.integers(1, 50), st.integers(0, 49), st.integers(1, 5))
def test_a_word_does_not_depend_on_what_else_is_asked_for(first: int, count: int, offset: int, lanes: int) -> None:
    stream = noise.key(1, 76, "seconds")
    whole = noise.words(stream, first, count, lanes)
    offset %= count
    assert (noise.words(stream, first + offset, count - offset, lanes) == whole[offset:]).all()


def test_streams_lanes_and_indices_differ() -> None:
    one = noise.words(noise.key(1, 76), 0, 100, 4)
    other = noise.words(noise.key(2, 76), 0, 100, 4)
    assert len(np.unique(np.concatenate([one, other]))) == 800


def test_names_that_join_to_the_same_text_have_streams_of_their_own() -> None:
    assert noise.key("1", "23") != noise.key("12", "3")


def test_normal_has_mean_0_and_deviation_1() -> None:
    values = noise.normal(noise.words(noise.key("normal"), 0, 100_000))
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02


def test_exponentials_have_mean_1_and_are_independent() -> None:
    word = noise.words(noise.key("exponential"), 0, 100_000)[:, 0]
    first, second = noise.exponential(word), noise.exponential(word, second=True)
    assert abs(first.mean() - 1) < 0.02
    assert abs(second.mean() - 1) < 0.02
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert abs(np.corrcoef(first, noise.normal(word))[0, 1]) < 0.02


def test_a_coin_is_fair() -> None:
    assert abs(noise.coin(noise.words(noise.key("coin"), 0, 100_000)).mean() - 0.5) < 0.01
