"""What nats-py reads from a reply subject, read faster."""

from hypothesis import given
from hypothesis import strategies as st
from nats.aio.msg import Msg

from libs.bus.origin import origin

numbers = st.integers(0, 2**62)
moments = st.integers(0, 4_000_000_000 * 10**9)


@given(numbers, numbers, numbers, moments, numbers, st.sampled_from(["", "_.hash.", "hub.hash."]), st.booleans())
def test_it_says_what_nats_py_says(
    attempt: int, sequence: int, number: int, at: int, pending: int, where: str, token: bool
) -> None:
    reply = f"$JS.ACK.{where}TRADES.analytics.{attempt}.{sequence}.{number}.{at}.{pending}"
    told = origin(f"{reply}.token" if where and token else reply)
    theirs = Msg.Metadata._from_reply(reply)
    assert (told.attempt, told.pending) == (theirs.num_delivered, theirs.num_pending)
    assert (told.sequence, told.number) == (theirs.sequence.stream, theirs.sequence.consumer)
    assert abs(told.at - theirs.timestamp.timestamp()) < 1e-5
