"""What a client listens to: one subscription at the broker per (event, filter), however many listeners."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog

from libs.quadcode.backoff import Jitter
from libs.quadcode.declarations import Filters, Listener, Topic
from libs.quadcode.errors import ConnectionLost, NotConnected, RequestFailed
from libs.quadcode.frames import Routing, Subscribe
from libs.quadcode.link import Link
from libs.quadcode.renewals import Renewals
from libs.quadcode.routes import Interest, Routes

E = TypeVar("E")

log = structlog.get_logger()


class Listening(Generic[E]):
    """One listener's part in an interest."""

    def __init__(self, subscriptions: "Subscriptions", interest: Interest[E], listener: Listener[E]) -> None:
        self._subscriptions = subscriptions
        self._interest = interest
        self._listener = listener
        self._stopped = False

    async def stop(self) -> None:
        """The listener hears nothing more; the last one's end is told to the broker."""
        if not self._stopped:
            self._stopped = True
            await self._subscriptions.remove(self._interest, self._listener)


class Subscriptions:
    """Held over every reconnect: `attach` makes them all again on a new connection."""

    def __init__(self, routes: Routes, jitter: Jitter, late: Callable[[], None]) -> None:
        """`late` is told when one was renewed later than the others: what was pushed of it meanwhile is missed."""
        self.renewals: Renewals[Interest[Any]] = Renewals(self._confirm, jitter, late)
        self._routes = routes
        self._link: Link | None = None
        self._confirmations: dict[Interest[Any], asyncio.Task[None]] = {}

    async def attach(self, link: Link) -> None:
        """Subscribe to everything anew. Raises NotConnected or ConnectionLost when the connection goes meanwhile."""
        self._link = link
        await self.renewals.begin(link, self._routes.interests())

    def detach(self) -> None:
        self._link = None
        self.renewals.end()

    async def add(self, topic: Topic[E], filters: Filters, listener: Listener[E]) -> Listening[E]:
        """Returns when the broker has confirmed it, or at once when there is no connection to ask on, or when it is
        held already and could not be renewed yet.

        Raises RequestFailed when the broker refuses it or does not answer; then nothing is kept.
        """
        interest = self._routes.find(topic, filters)
        if interest is None:
            interest = Interest(topic, filters)
            self._routes.add(interest)
            if self._link is not None:
                self._confirm(self._link, interest)
        interest.listeners.append(listener)
        confirmation = self._confirmations.get(interest)
        try:
            if confirmation is not None:
                await asyncio.shield(confirmation)
        except (NotConnected, ConnectionLost):
            log.info("subscription_waits", topic=topic.name)
        except (RequestFailed, asyncio.CancelledError):
            await self.remove(interest, listener)
            raise
        return Listening(self, interest, listener)

    async def remove(self, interest: Interest[E], listener: Listener[E]) -> None:
        interest.listeners.remove(listener)
        if interest.listeners:
            return
        self._routes.remove(interest)
        self.renewals.forget(interest)
        confirmation = self._confirmations.pop(interest, None)
        if confirmation is not None:
            confirmation.cancel()
        if self._link is not None:
            # What cannot be unsubscribed now is not subscribed to on the next connection.
            with suppress(NotConnected, RequestFailed):
                await self._link.unsubscribe(_message(interest))

    def _confirm(self, link: Link, interest: Interest[Any]) -> asyncio.Task[None]:
        task = asyncio.create_task(link.subscribe(_message(interest)), name=f"subscribe:{interest.topic.name}")
        self._confirmations[interest] = task
        task.add_done_callback(lambda done: self._confirmed(interest, done))
        return task

    def _confirmed(self, interest: Interest[Any], task: asyncio.Task[None]) -> None:
        if self._confirmations.get(interest) is task:
            del self._confirmations[interest]
        if not task.cancelled():
            task.exception()  # marks it as seen: whoever waited was told


def _message(interest: Interest[Any]) -> Subscribe:
    topic = interest.topic
    if not topic.filters:
        return Subscribe(topic.name, topic.version)
    return Subscribe(topic.name, topic.version, Routing(dict(zip(topic.filters, interest.filters, strict=True))))
