"""Links that confirm an address cannot be made up, changed, or used after their time."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.forms.links import BadLink, Confirmations
from services.crm.keys import Keys
from services.crm.tracking.links import Links, Purpose
from tests.unit.socket_edge.hand_clock import HandClock

SUBMISSION = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def links(*secrets: str) -> tuple[Confirmations, HandClock]:
    clock = HandClock()
    return Confirmations(Keys(secrets or ["one"]), clock), clock


def test_a_link_tells_what_it_was_made_of_until_it_is_no_longer_good() -> None:
    made, clock = links()
    token = made.token(SUBMISSION, 60)
    assert made.read(token) == SUBMISSION
    clock.advance(61)
    with pytest.raises(BadLink):
        made.read(token)


def test_a_link_is_of_one_key_and_for_one_purpose() -> None:
    token = links()[0].token(SUBMISSION, 60)
    assert links("another", "one")[0].read(token) == SUBMISSION, "keys are followed by others"
    others = [Links(Keys(["one"]), "https://x.test").token(purpose, SUBMISSION) for purpose in Purpose]
    with pytest.raises(BadLink):
        links("another")[0].read(token)
    for other in others:
        with pytest.raises(BadLink):
            links()[0].read(other)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=127))
def test_every_changed_character_is_noticed(place: int, by: int) -> None:
    made, _ = links()
    token = made.token(SUBMISSION, 60)
    at = place % len(token)
    changed = token[:at] + chr(ord(token[at]) ^ by) + token[at + 1 :]
    with pytest.raises(BadLink):
        made.read(changed)


@given(st.text(max_size=100))
def test_whatever_is_no_link_is_refused(text: str) -> None:
    with pytest.raises(BadLink):
        links()[0].read(text)
