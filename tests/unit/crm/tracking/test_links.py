"""A link is good for one mail and one purpose, or not at all."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.keys import BadSeal, Keys
from services.crm.tracking.links import BadToken, Links, Purpose

MAIL = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
LINKS = Links(Keys(["a first key"]), "https://mail.example.test/", "bounces.example.test")


@given(st.uuids(), st.integers(0, 2**16 - 1), st.sampled_from(Purpose), st.none() | st.uuids())
def test_what_was_signed_is_read(mail: UUID, number: int, purpose: Purpose, version: UUID | None) -> None:
    signed = LINKS.read(purpose, LINKS.token(purpose, mail, number, version))
    assert (signed.mail, signed.number, signed.version) == (mail, number, version)


@given(st.sampled_from(Purpose), st.sampled_from(Purpose))
def test_it_is_good_for_nothing_else(made: Purpose, used: Purpose) -> None:
    if made is used:
        return
    with pytest.raises(BadToken):
        LINKS.read(used, LINKS.token(made, MAIL))


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_nothing_in_it_can_be_changed(at: int, character: str) -> None:
    token = LINKS.token(Purpose.CLICK, MAIL, 3)
    at %= len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed == token:
        return
    with pytest.raises(BadToken):
        LINKS.read(Purpose.CLICK, changed)


@given(st.text(max_size=120))
def test_what_is_no_token_is_none(text: str) -> None:
    with pytest.raises(BadToken):
        LINKS.read(Purpose.LEAVE, text)


def test_an_address_is_good_whatever_its_case() -> None:
    address = LINKS.return_path(MAIL)
    assert len(address.partition("@")[0]) <= 64
    assert LINKS.bounced(address.upper()) == MAIL
    local, _, domain = address.partition("@")
    wrong = ("0" if local[-1] != "0" else "1") + f"@{domain}"
    for other in (
        local[:-1] + wrong,
        f"{local}@elsewhere.test",
        "b-@bounces.example.test",
        "",
        "news@bounces.example.test",
    ):
        with pytest.raises(BadToken):
            LINKS.bounced(other)


def test_a_new_key_lets_old_links_work() -> None:
    old, new = Links(Keys(["a first key"]), "https://a.test"), Links(Keys(["another", "a first key"]), "https://a.test")
    token = old.token(Purpose.LEAVE, MAIL)
    assert new.read(Purpose.LEAVE, token).mail == MAIL
    with pytest.raises(BadToken):
        old.read(Purpose.LEAVE, new.token(Purpose.LEAVE, MAIL))


def test_what_is_sealed_opens_only_where_it_belongs() -> None:
    keys = Keys(["a first key"])
    sealed = keys.seal("webhook 1", "a secret")
    assert "a secret" not in sealed
    assert keys.open("webhook 1", sealed) == "a secret"
    assert Keys(["another", "a first key"]).open("webhook 1", sealed) == "a secret"
    for opening, purpose, text in (
        (keys, "webhook 2", sealed),
        (Keys(["other"]), "webhook 1", sealed),
        (keys, "webhook 1", "x"),
    ):
        with pytest.raises(BadSeal):
            opening.open(purpose, text)
