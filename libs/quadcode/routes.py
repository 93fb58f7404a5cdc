"""From an event's frame to its listeners."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from libs.quadcode.declarations import Filters, Listener, Topic
from libs.quadcode.frames import MALFORMED, EventFrame

E = TypeVar("E")

log = structlog.get_logger()


class Interest(Generic[E]):
    """One (event, filter), however many listen to it."""

    def __init__(self, topic: Topic[E], filters: Filters) -> None:
        self.topic = topic
        self.filters = filters
        self.listeners: list[Listener[E]] = []

    def hear(self, event: E) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(event)
            except Exception:
                log.exception("listener_failed", topic=self.topic.name)


class _Route(Generic[E]):
    """All interests in one topic. An event is handed on by its own field values, so a thousand of them cost no more."""

    def __init__(self, topic: Topic[E]) -> None:
        self.topic = topic
        self.interests: dict[Filters, Interest[E]] = {}
        self._key = _key_of(topic)
        self._decode: Callable[[msgspec.Raw], E] = msgspec.json.Decoder(topic.type_).decode
        self._decode_frame: Callable[[bytes], EventFrame[E]] = msgspec.json.Decoder(
            EventFrame[topic.type_],  # type: ignore[name-defined]  # a type made at run time
        ).decode
        self.marker = b'"%s"' % topic.event.encode()

    def event(self, msg: msgspec.Raw) -> None:
        self._hand_on(self._decode(msg))

    def frame(self, data: bytes) -> bool:
        """The whole frame in one pass; False when it only looked like one of ours."""
        try:
            frame = self._decode_frame(data)
        except MALFORMED:
            return False
        if frame.request_id or frame.name != self.topic.event or frame.service != self.topic.service:
            return False
        self._hand_on(frame.msg)
        return True

    def _hand_on(self, event: E) -> None:
        interest = self.interests.get(self._key(event))
        if interest is not None:
            interest.hear(event)


class Routes:
    """Every interest of a client."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], _Route[Any]] = {}
        self._frequent: list[_Route[Any]] = []

    def frequent(self, data: bytes) -> bool:
        """Whether it was the frame of a frequent event somebody listens to; then it was handed on."""
        return any(route.marker in data and route.frame(data) for route in self._frequent)

    def event(self, service: str, name: str, msg: msgspec.Raw) -> None:
        """Raises one of MALFORMED when it is not what its topic declares."""
        route = self._routes.get((service, name))
        if route is not None:
            route.event(msg)

    def interests(self) -> list[Interest[Any]]:
        """In the order they were made."""
        return [interest for route in self._routes.values() for interest in route.interests.values()]

    def find(self, topic: Topic[E], filters: Filters) -> Interest[E] | None:
        route = self._routes.get((topic.service, topic.event))
        return None if route is None else route.interests.get(filters)

    def add(self, interest: Interest[Any]) -> None:
        topic = interest.topic
        route = self._routes.get((topic.service, topic.event))
        if route is None:
            route = self._routes[topic.service, topic.event] = _Route(topic)
            if topic.frequent:
                self._frequent.append(route)
        route.interests[interest.filters] = interest

    def remove(self, interest: Interest[Any]) -> None:
        topic = interest.topic
        route = self._routes[topic.service, topic.event]
        route.interests.pop(interest.filters, None)
        if not route.interests:
            del self._routes[topic.service, topic.event]
            if topic.frequent:
                self._frequent.remove(route)


def _key_of(topic: Topic[E]) -> Callable[[E], Filters]:
    """The values of an event's filter fields."""
    if not topic.filters:
        return lambda _: ()
    if len(topic.filters) == 1:
        value: Callable[[E], int | str] = attrgetter(topic.filters[0])
        return lambda event: (value(event),)
    values: Callable[[E], Filters] = attrgetter(*topic.filters)
    return values
