"""Ending a subscription without losing what the server has sent already.

nats-py's `unsubscribe`, which its micro services use too, discards what waits and what is on its way, so whoever asked
gets no answer; its `drain` relies on a `flush` that is no barrier (`Bus.ready`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from libs.bus.errors import BusUnavailable

_LONGEST = 5.0
"""Seconds in which callbacks must have taken what waits for them."""


async def drain(subscriptions: Iterable[Subscription], barrier: Callable[[], Awaitable[None]]) -> None:
    """The server sends nothing more, and callbacks were given all it had sent. They are still to be unsubscribed.

    `barrier`: when it returns, what was sent before it was called has reached the server, and its answers us.
    """
    ending = [each for each in subscriptions if not each._closed]
    with suppress(NatsError, BusUnavailable, TimeoutError, OSError):
        for each in ending:
            await each._conn._send_unsubscribe(each._id)
        await barrier()
        async with asyncio.timeout(_LONGEST):
            for each in ending:
                await each._pending_queue.join()
