"""Reading what a stream holds, from some time on, once."""

import asyncio
from contextlib import suppress
from datetime import datetime

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import api

from libs.bus.cancellation import cancellable
from libs.bus.errors import BusUnavailable
from libs.bus.jetstream import JetStream
from libs.bus.topology import Stream

_TIMEOUT = 10.0


async def read_past(jetstream: JetStream, stream: Stream, subject: str, since: datetime) -> list[bytes]:
    """The messages stored under a subject since then, in order, up to the last there is when this is called.

    By an ephemeral consumer that pushes them; all of them or, if one is missing or takes too long, BusUnavailable.
    """
    client = jetstream.api._nc
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    try:
        async with asyncio.timeout(_TIMEOUT):
            with cancellable():
                info = await jetstream.api.add_consumer(
                    stream.name,
                    api.ConsumerConfig(
                        deliver_subject=inbox,
                        deliver_policy=api.DeliverPolicy.BY_START_TIME,
                        opt_start_time=since,
                        ack_policy=api.AckPolicy.NONE,
                        filter_subject=subject,
                        inactive_threshold=_TIMEOUT,
                        mem_storage=True,
                        num_replicas=1,
                        max_deliver=1,
                    ),
                )
                # What the consumer pushed before it answered is not pending any more.
                count = (info.num_pending or 0) + (info.delivered.consumer_seq if info.delivered else 0)
                return [_in_order(await subscription.next_msg(timeout=None), number) for number in range(1, count + 1)]
    except (NatsError, TimeoutError) as error:
        raise BusUnavailable(f"{stream.name}/{subject}: not readable ({error!r})") from error
    finally:
        with suppress(NatsError):
            await subscription.unsubscribe()


def _in_order(message: Msg, number: int) -> bytes:
    """Raises BusUnavailable when a message before it was lost."""
    if message.metadata.sequence.consumer != number:
        raise BusUnavailable(f"{message.subject}: a message before it is missing")
    return message.data
