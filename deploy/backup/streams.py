"""Streams and buckets into files and back, by JetStream's own snapshots: every message under its number and its time,
and how far each consumer was. nats-py has no call for it; `nats stream backup` does the same.
"""

import json
from typing import Any, BinaryIO

from nats.aio.client import Client
from nats.errors import Error as NatsError

from libs.bus.topology import (
    ANSWERS,
    BUCKETS,
    EXPORT_JOBS,
    EXPORTS,
    FEEDS,
    LEASES,
    NEWS,
    RATES,
    STREAMS,
    Bucket,
    Stream,
)
from libs.service import CannotStart

_MADE_ANEW = (NEWS, LEASES, FEEDS, RATES, ANSWERS, EXPORTS, EXPORT_JOBS)
"""Of the moment: who acts, who watches, what was just asked. NEWS numbers what browsers are told, and a number must
never be given twice: a new one begins with the time."""
_CHUNK = 128 * 1024
_TIMEOUT = 30.0
_LAST_TIMEOUT = 300.0
"""The server reads all of it before it answers."""
_COMPLETE = "204"

Description = dict[str, Any]
"""`config` and `state` of a stream, as the server has them."""


def kept() -> list[str]:
    """The streams that a backup has."""
    declared: list[Stream | Bucket] = [each for each in (*STREAMS, *BUCKETS) if each not in _MADE_ANEW]
    return [each.stream if isinstance(each, Bucket) else each.name for each in declared]


async def snapshot(client: Client, name: str, file: BinaryIO) -> Description | None:
    """Write the stream as it is now; None where there is none. Others may go on writing to it. Raises CannotStart."""
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    try:
        told = await _ask(client, f"$JS.API.STREAM.SNAPSHOT.{name}", {"deliver_subject": inbox, "chunk_size": _CHUNK})
        if told is None:
            return None
        while True:
            message = await subscription.next_msg(_TIMEOUT)
            if not message.data:
                status = (message.headers or {}).get("Status", _COMPLETE)
                if status != _COMPLETE:
                    raise CannotStart(f"{name}: the server gave up ({(message.headers or {}).get('Description')})")
                return {"config": told["config"], "state": told["state"]}
            file.write(message.data)
            if message.reply:
                await client.publish(message.reply)
    except (NatsError, TimeoutError) as error:
        raise CannotStart(f"{name} cannot be read: {error!r}") from error
    finally:
        await subscription.unsubscribe()


async def restore(client: Client, name: str, description: Description, file: BinaryIO) -> None:
    """Make the stream anew as it was; there must be none of that name. Raises CannotStart."""
    try:
        told = await _ask(client, f"$JS.API.STREAM.RESTORE.{name}", description)
        if told is None:
            raise CannotStart(f"{name} cannot be restored: JetStream is not there")
        to = told["deliver_subject"]
        while chunk := file.read(_CHUNK):
            answer = await client.request(to, chunk, timeout=_TIMEOUT)
            if answer.data:
                raise CannotStart(f"{name} cannot be restored: {answer.data.decode(errors='replace')}")
        await _told(name, (await client.request(to, b"", timeout=_LAST_TIMEOUT)).data)
    except (NatsError, TimeoutError) as error:
        raise CannotStart(f"{name} cannot be restored: {error!r}") from error


async def exists(client: Client, name: str) -> bool:
    return await _ask(client, f"$JS.API.STREAM.INFO.{name}", {}) is not None


async def _ask(client: Client, subject: str, request: dict[str, Any]) -> dict[str, Any] | None:
    """None where there is no such stream."""
    answer = await client.request(subject, json.dumps(request).encode(), timeout=_TIMEOUT)
    return await _told(subject.rpartition(".")[2], answer.data)


async def _told(name: str, data: bytes) -> dict[str, Any] | None:
    told: dict[str, Any] = json.loads(data)
    error = told.get("error")
    if error is None:
        return told
    if error.get("err_code") == 10059:  # stream not found
        return None
    raise CannotStart(f"{name}: {error.get('description')} ({error.get('err_code')})")
