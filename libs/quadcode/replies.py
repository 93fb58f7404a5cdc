"""Requests that wait for their answer, and what counts as one (quadcode-protocol §3.4)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from libs.quadcode.errors import ConnectionLost, RequestRefused, UnexpectedReply
from libs.quadcode.frames import MALFORMED, REFUSED, Envelope, Outer, Result, decode_any, decode_result, words

Decode = Callable[[msgspec.Raw], Any]


@dataclass(frozen=True, slots=True)
class Pending:
    label: str
    """For people."""
    outer: Outer
    decode: Decode
    confirmed: bool
    """Answered by a `result`; the answer of any other request has data."""
    future: asyncio.Future[Any]


class Replies:
    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}
        self.none_pending = asyncio.Event()
        self.none_pending.set()

    def expect(self, request_id: str, pending: Pending) -> None:
        self._pending[request_id] = pending
        self.none_pending.clear()

    def forget(self, request_id: str) -> None:
        self._pending.pop(request_id, None)
        if not self._pending:
            self.none_pending.set()

    def receive(self, envelope: Envelope) -> None:
        """A frame with a request id; nobody waiting for it means that it is dropped."""
        pending = self._pending.get(envelope.request_id) if isinstance(envelope.request_id, str) else None
        if pending is None or pending.future.done():
            return
        if envelope.status is not None and envelope.status >= REFUSED:
            _refuse(pending, int(envelope.status), envelope.msg)
        elif envelope.name == "result" and not pending.confirmed:
            # Its data is still to come, unless the server says that there will be none.
            result = _decoded(pending, decode_result, envelope.msg)
            if isinstance(result, Result) and not result.success:
                _refuse(pending, int(envelope.status or 0), envelope.msg, result.reason)
        else:
            answer = _decoded(pending, pending.decode, envelope.msg)
            if not pending.future.done():
                pending.future.set_result(answer)

    def refuse_login(self) -> None:
        """`authenticated: false` comes without a request id."""
        for pending in self._pending.values():
            if pending.outer is Outer.AUTHENTICATE and not pending.future.done():
                pending.future.set_result(False)

    def fail(self, reason: str) -> None:
        for pending in self._pending.values():
            if not pending.future.done():
                pending.future.set_exception(ConnectionLost(f"{pending.label}: {reason}"))


def _decoded(pending: Pending, decode: Decode, msg: msgspec.Raw) -> Any:
    try:
        return decode(msg)
    except MALFORMED as error:
        pending.future.set_exception(UnexpectedReply(f"{pending.label}: {error}"))
        return None


def _decoded_details(msg: msgspec.Raw) -> object:
    try:
        return decode_any(msg)
    except MALFORMED:
        return None


def _refuse(pending: Pending, status: int, msg: msgspec.Raw, reason: str = "") -> None:
    details = _decoded_details(msg)
    pending.future.set_exception(RequestRefused(pending.label, status, reason or words(details), details))
