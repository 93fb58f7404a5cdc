"""Links in mails cannot be made up, changed, or used for something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.links import BadLink, Links
from tests.unit.socket_edge.hand_clock import HandClock


def links(of: str = "one") -> tuple[Links, HandClock]:
    clock = HandClock()
    return Links(of, clock), clock


def test_a_link_tells_what_it_was_made_of_until_it_is_no_longer_good() -> None:
    made, clock = links()
    token = made.make("form", "abc123", 60)
    assert made.read("form", token) == "abc123"
    clock.advance(61)
    with pytest.raises(BadLink):
        made.read("form", token)


def test_a_link_is_for_one_purpose_and_of_one_secret() -> None:
    made, _ = links()
    token = made.make("form", "abc123", 60)
    for other, purpose in ((made, "unsubscribe"), (links("another")[0], "form")):
        with pytest.raises(BadLink):
            other.read(purpose, token)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=127))
def test_every_changed_character_is_noticed(place: int, by: int) -> None:
    made, _ = links()
    token = made.make("form", "abc123", 60)
    at = place % len(token)
    changed = token[:at] + chr(ord(token[at]) ^ by) + token[at + 1 :]
    with pytest.raises(BadLink):
        made.read("form", changed)


@given(st.text(max_size=100))
def test_whatever_is_no_link_is_refused(text: str) -> None:
    with pytest.raises(BadLink):
        links()[0].read("form", text)
