"""What counts as the answer to a request (quadcode-protocol §3.4)."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from libs.quadcode.errors import ConnectionLost, RequestRefused, UnexpectedReply
from libs.quadcode.frames import Outer, Result, decode_envelope, decode_result
from libs.quadcode.replies import Pending, Replies

OK = {"success": True, "reason": ""}
NO = {"success": False, "reason": "no"}


class Waiting:
    """One request that waits for data, and one that waits to be confirmed."""

    def __init__(self) -> None:
        self.replies = Replies()
        self.typed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.confirmed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        number = msgspec.json.Decoder(int).decode
        self.replies.expect("1", Pending("typed", Outer.SEND_MESSAGE, number, False, self.typed))
        self.replies.expect("2", Pending("confirmed", Outer.SUBSCRIBE, decode_result, True, self.confirmed))

    def receive(self, **frame: Any) -> None:
        self.replies.receive(decode_envelope(json.dumps(frame).encode()))


@pytest.fixture
async def waiting() -> Waiting:
    return Waiting()


async def test_data_answers_whatever_it_is_called(waiting: Waiting) -> None:
    waiting.receive(request_id="1", name="anything", msg=7)
    assert waiting.typed.result() == 7


async def test_success_is_not_yet_the_data(waiting: Waiting) -> None:
    waiting.receive(request_id="1", name="result", msg=OK, status=2000)
    assert not waiting.typed.done()
    waiting.receive(request_id="1", name="number", msg=7)
    assert waiting.typed.result() == 7


async def test_no_success_means_no_data(waiting: Waiting) -> None:
    waiting.receive(request_id="1", name="result", msg=NO)
    with pytest.raises(RequestRefused, match="no"):
        waiting.typed.result()


@pytest.mark.parametrize(("msg", "result"), [(OK, Result(True)), (NO, Result(False, "no")), (None, None)])
async def test_the_first_frame_confirms(waiting: Waiting, msg: object, result: Result | None) -> None:
    waiting.receive(request_id="2", name="result", msg=msg)
    waiting.receive(request_id="2", name="result", msg=NO, status=4000)
    assert waiting.confirmed.result() == result


@pytest.mark.parametrize("name", ["result", "error", "number"])
async def test_a_status_of_4000_or_more_is_a_refusal_before_anything_else(waiting: Waiting, name: str) -> None:
    waiting.receive(request_id="1", name=name, msg={"message": "no"}, status=4000)
    with pytest.raises(RequestRefused) as refused:
        waiting.typed.result()
    assert (refused.value.status, refused.value.message) == (4000, "no")


@pytest.mark.parametrize("request_id", [1, "3", "01"])
async def test_an_answer_to_nobody_is_dropped(waiting: Waiting, request_id: object) -> None:
    waiting.receive(request_id=request_id, name="number", msg=7)
    assert not waiting.typed.done()


async def test_an_answer_that_comes_twice_counts_once(waiting: Waiting) -> None:
    waiting.receive(request_id="1", name="number", msg=7)
    waiting.receive(request_id="1", name="number", msg=8)
    assert waiting.typed.result() == 7


@pytest.mark.parametrize("name", ["number", "result"])
async def test_an_answer_of_another_shape_is_an_error_of_that_request_alone(waiting: Waiting, name: str) -> None:
    waiting.receive(request_id="1", name=name, msg="seven")
    with pytest.raises(UnexpectedReply, match="typed"):
        waiting.typed.result()
    assert not waiting.confirmed.done()


async def test_the_end_of_the_connection_is_told_to_everybody(waiting: Waiting) -> None:
    waiting.receive(request_id="1", name="number", msg=7)
    waiting.replies.fail("gone")
    assert waiting.typed.result() == 7
    with pytest.raises(ConnectionLost, match="gone"):
        waiting.confirmed.result()


async def test_a_refused_login_ends_logins_only(waiting: Waiting) -> None:
    login: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    waiting.replies.expect("3", Pending("login", Outer.AUTHENTICATE, msgspec.json.Decoder(bool).decode, False, login))
    waiting.replies.refuse_login()
    assert login.result() is False
    assert not waiting.typed.done()


async def test_it_is_known_when_nothing_is_waited_for(waiting: Waiting) -> None:
    waiting.replies.forget("1")
    assert not waiting.replies.none_pending.is_set()
    waiting.replies.forget("2")
    waiting.replies.forget("2")
    assert waiting.replies.none_pending.is_set()
