"""What is sealed is opened by its key for its user, and by nothing else."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.broker_gateway.vault import IssuedSession, seal, unseal

keys = st.binary(min_size=32, max_size=32)
sessions = st.builds(
    IssuedSession,
    ssid=st.text(min_size=1),
    issued_at=st.datetimes(timezones=st.just(UTC)),
)


@given(sessions, st.text(), keys, st.lists(keys, max_size=3))
def test_any_of_the_keys_opens_it(session: IssuedSession, user: str, key: bytes, older: list[bytes]) -> None:
    assert unseal(seal(session, user, key), user, [*older, key]) == session


@given(sessions, st.text(), st.text(), keys, keys)
def test_neither_another_user_nor_another_key_does(
    session: IssuedSession, user: str, other_user: str, key: bytes, other_key: bytes
) -> None:
    sealed = seal(session, user, key)
    assert unseal(sealed, other_user, [key]) == (session if user == other_user else None)
    assert unseal(sealed, user, [other_key]) == (session if key == other_key else None)


@given(sessions, keys, st.data())
def test_a_changed_byte_is_noticed(session: IssuedSession, key: bytes, data: st.DataObject) -> None:
    sealed = seal(session, "5150", key)
    place = data.draw(st.integers(0, len(sealed.sealed) - 1))
    damaged = bytearray(sealed.sealed)
    damaged[place] ^= data.draw(st.integers(1, 255))
    assert unseal(msgspec.structs.replace(sealed, sealed=bytes(damaged)), "5150", [key]) is None


def test_the_same_id_is_sealed_differently_each_time() -> None:
    session = IssuedSession(ssid="secret", issued_at=datetime(2026, 11, 25, tzinfo=UTC))
    assert len({seal(session, "5150", bytes(32)).nonce for _ in range(50)}) == 50
