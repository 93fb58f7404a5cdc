"""Reading what a stream holds under a subject, from some time on, once.

By batched direct gets (ADR-31): no consumer is made for it, so that thousands can read at once. In a cluster any
replica answers, which may be behind, or cut off from the others: so the leader is asked for the last message first.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from libs.bus.cancellation import Cancellable
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import JetStream
from libs.bus.topology import Stream

_TIMEOUT = 10.0
_BEHIND = 0.05
"""Seconds until a replica that was behind is asked again."""
_BATCH = 500
_END, _NOTHING = "204", "404"


class _Get(msgspec.Struct, omit_defaults=True):
    batch: int
    next_by_subj: str
    seq: int = 0
    start_time: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message in a stream."""

    subject: str
    data: bytes
    sequence: int
    at: float
    """Epoch seconds, by the server's clock: when it was stored."""


async def read_past(jetstream: JetStream, stream: Stream, subject: str, since: datetime) -> list[Stored]:
    """The messages stored under a subject since then, in order, up to the last there is when this is called: all of
    them, or BusUnavailable."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            newest = await _newest(jetstream, stream, subject, since) if jetstream.clustered else 0
            while True:
                found = await _read_all(jetstream.api._nc, stream, _Get(_BATCH, subject, start_time=since.isoformat()))
                if newest <= (found[-1].sequence if found else 0):
                    return found
                await asyncio.sleep(_BEHIND)
    except (NatsError, TimeoutError) as error:
        raise BusUnavailable(f"{stream.name}/{subject}: not readable ({error!r})") from error


async def _newest(jetstream: JetStream, stream: Stream, subject: str, since: datetime) -> int:
    """Number of the last message that there is to be found; 0 if there is none."""
    last = await jetstream.last(stream.name, subject, _TIMEOUT)
    return last.seq or 0 if last is not None and last.time is not None and last.time >= since else 0


async def _read_all(client: Client, stream: Stream, query: _Get | None) -> list[Stored]:
    found: list[Stored] = []
    with Cancellable():
        while query is not None:
            query = await _read(client, stream, query, found)
    return found


async def _read(client: Client, stream: Stream, query: _Get, found: list[Stored]) -> _Get | None:
    """One batch; what to ask for next, if there is more."""
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    last = 0
    try:
        await client.publish(f"$JS.API.DIRECT.GET.{stream.name}", msgspec.json.encode(query), reply=inbox)
        while True:
            message = await subscription.next_msg(timeout=None)
            headers = message.headers or {}
            status = headers.get("Status")
            if status == _NOTHING:
                return None
            if status == _END:
                if last != int(headers["Nats-Last-Sequence"]):
                    raise BusUnavailable(f"{stream.name}/{query.next_by_subj}: messages were lost on the way")
                more = int(headers["Nats-Num-Pending"])
                return _Get(_BATCH, query.next_by_subj, seq=last + 1) if more else None
            if status is not None:
                raise BusUnavailable(f"{stream.name}/{query.next_by_subj}: {headers.get('Description', status)}")
            if last and int(headers["Nats-Last-Sequence"]) != last:
                raise BusUnavailable(f"{stream.name}/{query.next_by_subj}: a message was lost on the way")
            last = int(headers["Nats-Sequence"])
            at = datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp()
            found.append(Stored(headers["Nats-Subject"], message.data, last, at))
    finally:
        with suppress(NatsError):
            await subscription.unsubscribe()
